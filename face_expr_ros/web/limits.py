"""Limits on connections, request rates, upload sizes, pixels and durations."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from face_expr_ros.serialization.image_headers import (
    CompressedSizeError,
    compressed_size,
    lacks_jpeg_end,
    without_trailing_bytes,
)
from face_expr_ros.web.config import WebConfig

HEADER_TIMEOUT = 10.0  # seconds from connection, or from the last response, to a complete request header
MAX_ADDRESSES = 4096  # addresses whose request rates are tracked
IMAGE_TYPES = ("image/jpeg", "image/png")
MAX_DISCARDED = 64_000_000  # bytes of a refused upload that are read, so that its client can read the response
DISCARD_PAUSE = 1.0  # seconds without data after which reading stops
DISCARD_TIMEOUT = 20.0  # seconds after which reading stops
STREAM_BUFFER = 32_768  # bytes of the send buffer of a stream; a larger one would only add delay

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 20\r\n\r\ntoo many connections"
)


class RequestError(ValueError):
    """A request that is refused.

    Attributes:
        status: HTTP status.
        retry_after: seconds after which the request may succeed; None if a retry is useless.
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class RateLimiter:
    """Token bucket for each address, with ``burst`` tokens that are refilled at ``rate`` per second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and time of the last request

    def take(self, address: str) -> bool:
        """Whether the address may send a request now."""
        now = self._clock()
        tokens, then = self._buckets.pop(address, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - allowed, now)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return allowed


def limited_protocol(config: WebConfig) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with a limit on connections and a timeout for request headers.

    uvicorn's ``limit_concurrency`` is checked only once a request header is complete and not for WebSockets, and its
    timeouts start after the first response: connections that send nothing would be unlimited in number and duration.
    The transport is stored in the scope's state, so that clients that do not read can be disconnected.
    """

    class LimitedProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app_state = self.app_state | {"transport": transport}
            if len(self.connections) > config.max_connections:
                transport.write(_FULL)
                transport.close()
            else:
                self._start_header_timeout()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._start_header_timeout()

        def _start_header_timeout(self) -> None:
            self.loop.call_later(HEADER_TIMEOUT, self._abort_if_unchanged, self.cycle)

        def _abort_if_unchanged(self, cycle: Any) -> None:
            if self.cycle is cycle and self.transport.get_protocol() is self:
                self.transport.abort()

    return LimitedProtocol


class DiscardBody:
    """Reads and discards the rest of a request body when the response is sent before the body is complete.

    If a connection is closed while the client still sends, it is reset and the client cannot read the response.
    Therefore the rest of the body is discarded before the response ends. Bodies of more than `MAX_DISCARDED` bytes and
    requests with ``Expect`` are not read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, then discard the rest of the body."""
        if scope["type"] != "http" or not _has_discardable_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        complete = False

        async def track_body() -> Message:
            nonlocal complete
            message = await receive()
            complete = not message.get("more_body", False)
            return message

        async def discard_before_end(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False) and not complete:
                await send({**message, "more_body": True})
                await _discard(track_body)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, track_body, discard_before_end)


async def read_image(request: Request, config: WebConfig) -> bytes:
    """Read the image in the body of a request, up to the size limit.

    Raises:
        RequestError: not a JPEG or PNG file, too many bytes or pixels, or upload timeout.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in IMAGE_TYPES:
        raise RequestError(415, f"expected Content-Type {' or '.join(IMAGE_TYPES)}, got {kind or 'none'!r}")
    limit = int(config.upload_megabytes * 1e6)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise _too_large(config)
    try:
        data = await asyncio.wait_for(_body(request, limit, config), config.upload_timeout)
    except asyncio.TimeoutError:
        raise RequestError(408, f"expected the image within {config.upload_timeout:g} s") from None
    except ClientDisconnect:
        raise RequestError(400, "the client disconnected") from None
    check_image(data, config)
    return data


def check_image(data: bytes, config: WebConfig) -> None:
    """Raise RequestError unless the data is a complete JPEG or PNG file within the limits; nothing is decoded."""
    if len(data) > config.upload_megabytes * 1e6:
        raise _too_large(config)
    try:
        width, height = compressed_size(data)
    except CompressedSizeError as error:
        raise RequestError(400, str(error)) from error
    if lacks_jpeg_end(data):
        raise RequestError(400, "expected a complete JPEG image")
    if width * height > config.upload_megapixels * 1e6 or not width * height:
        raise RequestError(413, f"expected 1 to {config.upload_megapixels:g} million pixels, got {width} x {height}")


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode checked data to (height, width, 3) BGR. Raises RequestError if the file is damaged."""
    try:
        pixels = cv2.imdecode(np.frombuffer(without_trailing_bytes(data), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # limits of OpenCV that environment variables set
        pixels = None
    if pixels is None:
        raise RequestError(400, "expected a valid image, got a damaged file")
    return pixels.astype(np.uint8, copy=False)


def _has_discardable_body(headers: Headers) -> bool:
    """Whether the body of a request may be discarded."""
    length = headers.get("content-length", "0")
    announced = length.isdecimal() and 0 < int(length) <= MAX_DISCARDED
    return (announced or "transfer-encoding" in headers) and "expect" not in headers


async def _discard(receive: Receive) -> None:
    """Read a body until it ends, pauses, or exceeds the limits."""
    size, more, end = 0, True, time.monotonic() + DISCARD_TIMEOUT
    while more and size <= MAX_DISCARDED and time.monotonic() < end:
        try:
            message = await asyncio.wait_for(receive(), DISCARD_PAUSE)
        except asyncio.TimeoutError:
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _body(request: Request, limit: int, config: WebConfig) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(config)
    return bytes(body)


def _too_large(config: WebConfig) -> RequestError:
    return RequestError(413, f"expected at most {config.upload_megabytes:g} MB, got more")
