"""The WebSockets that send: faces, and the camera's picture."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import WebSocket, WebSocketDisconnect

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.web.codec import VERSION
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.hub import Client, Hub, StreamClient
from face_expr_ros.web.limits import STREAM_BUFFER, RateLimit, Refused
from face_expr_ros.web.security import SUBPROTOCOL, refusal

AnyClient = TypeVar("AnyClient", bound=Client[Any])

UNSUPPORTED, TOO_MUCH = 1003, 1008  # close codes of RFC 6455, 7.4.1
LONGEST_MESSAGE = 256  # characters of a ping
PING_RATE, PING_BURST = 10.0, 20


class Streams:
    """Endpoints of the WebSockets ``/ws/stream`` and ``/ws/camera``."""

    def __init__(self, hub: Hub, config: WebConfig) -> None:
        self._hub = hub
        self._config = config

    async def stream(self, websocket: WebSocket) -> None:
        """Hello, then the newest frame again and again; pings are answered, and anything else ends it."""
        client = StreamClient(self._hub.count_drop)
        await self._serve(websocket, client, self._hub.streams, self._send_frames, _answer_pings)

    async def camera(self, websocket: WebSocket) -> None:
        """The newest picture again and again."""
        if not self._config.camera_picture:
            await websocket.send_denial_response(refusal(Refused(404, "camera_picture is false")))
            return
        client: Client[bytes] = Client(self._hub.count_drop)
        await self._serve(websocket, client, self._hub.cameras, self._send_pictures, _refuse_messages)

    async def watch(self) -> None:
        """Cut off the clients that take nothing; for ever."""
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
        hear: Callable[[WebSocket], Awaitable[None]],
    ) -> None:
        """Send and listen until one of both ends."""
        if len(clients) >= self._config.max_clients:
            await websocket.send_denial_response(refusal(Refused(503, "there are too many clients", retry_after=5)))
            return
        await accept(websocket)
        _send_at_once(websocket)
        clients.add(client)
        sender = client.task = asyncio.ensure_future(send(websocket, client))
        listener = asyncio.ensure_future(hear(websocket))
        try:
            await asyncio.wait({sender, listener}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            clients.discard(client)
            stuck = sender.cancelled()
            sender.cancel()
            listener.cancel()
            results = await asyncio.gather(sender, listener, return_exceptions=True)
        if stuck:
            cut_off(websocket)
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
    """Take a WebSocket; with the subprotocol, where the client has offered it beside its token."""
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)


def cut_off(websocket: WebSocket) -> None:
    """End a connection without a word: the words would wait behind what the client does not take."""
    websocket.scope["state"]["transport"].abort()


def _send_at_once(websocket: WebSocket) -> None:
    """Little is buffered on the way, so that a slow client finds a new frame after the next, and not old ones."""
    transport = websocket.scope["state"]["transport"]
    transport.set_write_buffer_limits(high=0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER)


async def _timed(client: Client[Any], sending: Awaitable[None]) -> None:
    """Send, and let the client's clock run meanwhile."""
    client.sending_since = time.monotonic()
    await sending
    client.sending_since = None


async def _answer_pings(websocket: WebSocket) -> None:
    rate = RateLimit(PING_RATE, PING_BURST)
    while (message := await websocket.receive())["type"] == "websocket.receive":
        sent = _ping_time(message.get("text"))
        if sent is None:
            await websocket.close(UNSUPPORTED, "a ping was wanted")
            return
        if not rate.take(""):
            await websocket.close(TOO_MUCH, "too many pings")
            return
        await websocket.send_text(json.dumps({"type": "pong", "t": sent, "server": time.time()}))


async def _refuse_messages(websocket: WebSocket) -> None:
    if (await websocket.receive())["type"] == "websocket.receive":
        await websocket.close(UNSUPPORTED, "this stream takes no messages")


def _ping_time(text: str | None) -> float | None:
    """``t`` of {"type": "ping", "t": number}; None for anything else."""
    if text is None or len(text) > LONGEST_MESSAGE:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.keys() != {"type", "t"} or message["type"] != "ping":
        return None
    sent = message["t"]
    return sent if type(sent) in (int, float) and math.isfinite(sent) else None
