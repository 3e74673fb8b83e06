"""The WebSockets that send faces and the camera image."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.web.codec import VERSION
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.hub import Client, Hub, StreamClient
from face_expr_ros.web.limits import STREAM_BUFFER, RateLimiter, RequestError
from face_expr_ros.web.security import SUBPROTOCOL, error_response

AnyClient = TypeVar("AnyClient", bound=Client[Any])

UNSUPPORTED_DATA, POLICY_VIOLATION = 1003, 1008  # close codes of RFC 6455, 7.4.1
MAX_MESSAGE_LENGTH = 256  # characters of a ping
PING_RATE, PING_BURST = 10.0, 20


class Streams:
    """Endpoints ``/ws/stream`` and ``/ws/camera``."""

    def __init__(self, hub: Hub, config: WebConfig) -> None:
        self._hub = hub
        self._config = config

    async def stream(self, websocket: WebSocket) -> None:
        """Send hello, then the latest frames; answer pings, and close on any other message."""
        client = StreamClient()
        await self._serve(websocket, client, self._hub.streams, self._send_frames, _answer_pings)

    async def camera(self, websocket: WebSocket) -> None:
        """Send the latest camera pictures."""
        if not self._config.camera_picture:
            await websocket.send_denial_response(error_response(RequestError(404, "camera_picture is false")))
            return
        client: Client[bytes] = Client()
        await self._serve(websocket, client, self._hub.cameras, self._send_pictures, _refuse_messages)

    async def abort_stuck_clients(self) -> None:
        """Disconnect clients that read nothing for ``slow_timeout``; runs until cancelled.

        uvicorn closes a WebSocket whose pings are not answered, but waits for its send buffer, which never empties.
        """
        while True:
            await asyncio.sleep(min(1.0, self._config.slow_timeout / 4))
            for client in self._hub.stuck(self._config.slow_timeout):
                if client.task is not None:
                    client.task.cancel()

    async def _serve(
        self,
        websocket: WebSocket,
        client: AnyClient,
        clients: set[AnyClient],
        send: Callable[[WebSocket, AnyClient], Awaitable[None]],
        receive: Callable[[WebSocket], Awaitable[None]],
    ) -> None:
        """Send and receive until either ends."""
        if len(clients) >= self._config.max_clients:
            error = RequestError(503, "too many clients", retry_after=5)
            await websocket.send_denial_response(error_response(error))
            return
        await accept(websocket)
        _limit_buffering(websocket)
        clients.add(client)
        sender = client.task = asyncio.ensure_future(send(websocket, client))
        receiver = asyncio.ensure_future(receive(websocket))
        try:
            await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            clients.discard(client)
            stuck = sender.cancelled()
            sender.cancel()
            receiver.cancel()
            results = await asyncio.gather(sender, receiver, return_exceptions=True)
        if stuck:
            _abort(websocket)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, (WebSocketDisconnect, asyncio.CancelledError)):
                raise result

    async def _send_frames(self, websocket: WebSocket, client: StreamClient) -> None:
        while True:
            if client.model_etag != self._hub.model.etag:
                client.model_etag = self._hub.model.etag
                await websocket.send_text(json.dumps(self._hello()))
            packet = await client.take()
            if packet is not None:
                await _timed(client, websocket.send_bytes(client.choose(packet)))

    async def _send_pictures(self, websocket: WebSocket, client: Client[bytes]) -> None:
        while True:
            picture = await client.take()
            if picture is not None:
                await _timed(client, websocket.send_bytes(picture))

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "model_sha256": self._hub.model.model.sha256,
            "blendshape_names": ARKIT_NAMES,
            "frame_rate": round(self._hub.frame_rate, 2),
            "camera": self._config.camera_picture,
            "version": VERSION,
        }


async def accept(websocket: WebSocket) -> None:
    """Accept a WebSocket, with the subprotocol if the client has offered it along with its token.

    Raises:
        ClientDisconnected: the client has left before it was accepted; the server ends the connection silently.
    """
    offered = websocket.scope.get("subprotocols", [])
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    except WebSocketDisconnect as error:
        raise ClientDisconnected from error
    if websocket.scope["state"]["transport"].is_closing():  # nothing can be sent, not even the handshake
        raise ClientDisconnected


def _abort(websocket: WebSocket) -> None:
    """Close the connection without a close frame, which would wait behind the unread data."""
    websocket.scope["state"]["transport"].abort()


def _limit_buffering(websocket: WebSocket) -> None:
    """Keep the buffers small, so that a slow client receives recent frames."""
    transport = websocket.scope["state"]["transport"]
    transport.set_write_buffer_limits(high=0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER)


async def _timed(client: Client[Any], sending: Awaitable[None]) -> None:
    """Send and record the start time in the client."""
    client.sending_since = time.monotonic()
    await sending
    client.sending_since = None


async def _answer_pings(websocket: WebSocket) -> None:
    rate = RateLimiter(PING_RATE, PING_BURST)
    while (message := await websocket.receive())["type"] == "websocket.receive":
        sent = _ping_time(message.get("text"))
        if sent is None:
            await websocket.close(UNSUPPORTED_DATA, "expected a ping")
            return
        if not rate.take(""):
            await websocket.close(POLICY_VIOLATION, "too many pings")
            return
        await websocket.send_text(json.dumps({"type": "pong", "t": sent, "server": time.time()}))


async def _refuse_messages(websocket: WebSocket) -> None:
    if (await websocket.receive())["type"] == "websocket.receive":
        await websocket.close(UNSUPPORTED_DATA, "this stream accepts no messages")


def _ping_time(text: str | None) -> float | None:
    """``t`` of a message {"type": "ping", "t": number}; None for any other message."""
    if text is None or len(text) > MAX_MESSAGE_LENGTH:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.keys() != {"type", "t"} or message["type"] != "ping":
        return None
    sent = message["t"]
    return sent if type(sent) in (int, float) and math.isfinite(sent) else None
