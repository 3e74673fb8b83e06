"""Bounds on what clients may use: connections, requests, bytes, pixels and time."""

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

from face_expr_ros.serialization.image_headers import CompressedSizeError, compressed_size
from face_expr_ros.web.config import WebConfig

HEADER_TIMEOUT = 10.0  # seconds that a connection may take to say what it wants
REMEMBERED = 4096  # addresses whose requests are counted
PICTURE_TYPES = ("image/jpeg", "image/png")
MOST_DISCARDED = 64_000_000  # bytes of a refused upload that are read, so that its client gets to read the answer
DISCARD_PAUSE = 1.0  # seconds without a byte of it after which no more is waited for
DISCARD_TIMEOUT = 20.0  # seconds after which no more of it is read
STREAM_BUFFER = 32_768  # bytes in the kernel for a stream: more would only be old when they are read

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 31\r\n\r\nthe server has too many clients"
)


class Refused(ValueError):
    """A request that is not answered; the text says what was wanted and what was given.

    Attributes:
        status: of HTTP.
        retry_after: seconds after which it may work; None where it will not.
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class RateLimit:
    """Requests of each address: a bucket that holds ``burst`` of them and fills with ``rate`` a second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was

    def take(self, address: str) -> bool:
        """Whether the address may make a request now."""
        now = self._clock()
        left, then = self._buckets.pop(address, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._rate)
        allowed = left >= 1
        self._buckets[address] = (left - allowed, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed


def limited_protocol(config: WebConfig) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with a bound on connections and on the time that a request's head may take.

    uvicorn itself bounds neither silent connections nor WebSockets. The transport is handed on in the scope's state, so
    that a client which takes nothing can be cut off.
    """

    class LimitedProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app_state = self.app_state | {"transport": transport}
            if len(self.connections) > config.max_connections:
                transport.write(_FULL)
                transport.close()
            else:
                self._expect_request()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._expect_request()

        def _expect_request(self) -> None:
            self.loop.call_later(HEADER_TIMEOUT, self._abort_if_silent, self.cycle)

        def _abort_if_silent(self, before: Any) -> None:
            if self.cycle is before and self.transport.get_protocol() is self:
                self.transport.abort()

    return LimitedProtocol


class Discard:
    """Takes the rest of a request that is answered before all of it has come.

    A connection that is closed while its client still sends is reset, and the client never sees the answer. So the
    answer goes out, what else comes is thrown away, and then the connection ends; a client that announces more than
    `MOST_DISCARDED` bytes, or asks first (``Expect``), is not waited for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and look after the body."""
        if scope["type"] != "http" or not _is_discarded(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        whole = False

        async def noticing() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False) and not whole:
                await send({**message, "more_body": True})
                await _discard(noticing)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, noticing, answering)


async def read_picture(request: Request, config: WebConfig) -> bytes:
    """The body of a request, read no further than the limits allow.

    Raises:
        Refused: it is no JPEG or PNG, too large, too slow, or its head says that it has too many pixels.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PICTURE_TYPES:
        raise Refused(415, f"Content-Type {' or '.join(PICTURE_TYPES)} was wanted, {kind or 'none'!r} was given")
    limit = int(config.upload_megabytes * 1e6)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise _too_large(config)
    try:
        data = await asyncio.wait_for(_body(request, limit, config), config.upload_timeout)
    except asyncio.TimeoutError:
        raise Refused(408, f"a picture within {config.upload_timeout:g} s was wanted") from None
    except ClientDisconnect:
        raise Refused(400, "the client went away") from None
    check_picture(data, config)
    return data


def check_picture(data: bytes, config: WebConfig) -> None:
    """Raise Refused unless the bytes are a whole JPEG or PNG within the limits; nothing is decoded."""
    if len(data) > config.upload_megabytes * 1e6:
        raise _too_large(config)
    try:
        width, height = compressed_size(data)
    except CompressedSizeError as error:
        raise Refused(400, str(error)) from error
    if width * height > config.upload_megapixels * 1e6 or not width * height:
        raise Refused(
            413, f"1 to {config.upload_megapixels:g} million pixels were wanted, {width} x {height} were given"
        )


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) BGR of checked bytes. Raises Refused where they are damaged."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # OpenCV's own limits, which are set by the environment
        pixels = None
    if pixels is None:
        raise Refused(400, "a whole picture was wanted, this one is damaged")
    return pixels.astype(np.uint8, copy=False)


def _is_discarded(headers: Headers) -> bool:
    """Whether a request has a body whose rest is worth reading."""
    length = headers.get("content-length", "0")
    announced = length.isdecimal() and 0 < int(length) <= MOST_DISCARDED
    return (announced or "transfer-encoding" in headers) and "expect" not in headers


async def _discard(receive: Receive) -> None:
    """Read a body to its end, or to a pause, or as far as the bounds."""
    size, more, end = 0, True, time.monotonic() + DISCARD_TIMEOUT
    while more and size <= MOST_DISCARDED and time.monotonic() < end:
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


def _too_large(config: WebConfig) -> Refused:
    return Refused(413, f"at most {config.upload_megabytes:g} MB were wanted, more were given")
