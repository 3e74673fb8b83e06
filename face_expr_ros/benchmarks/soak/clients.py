"""Clients of the bridges: browsers of the web server, and receivers of the avatar protocols."""

from __future__ import annotations

import asyncio
import random
import select
import socket
import struct
import threading
import time
from collections import Counter

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from face_expr_ros.web.codec import StreamFrame, decode_frame

OPENSEEFACE_SIZE = 1785  # bytes
_STAY = (2.0, 30.0)  # seconds for which a browser stays
_NORM_TOLERANCE = 2e-3  # of a quaternion of four float32


class Browsers:
    """Browsers that come and go, in a thread; one of them stops reading now and then.

    Args:
        url: of the web server, which may start later and may be restarted.
        count: number of browsers at the same time.

    Attributes:
        frames, pictures, connections: totals.
        last_frame: time of the last frame, seconds of the monotonic clock.
        violations: number of frames that violate a rule, by sentence.
    """

    def __init__(self, url: str, count: int, seed: int) -> None:
        self.frames = self.pictures = self.connections = 0
        self.last_frame = 0.0
        self.violations: Counter[str] = Counter()
        self._url, self._rng = url.replace("http", "ws", 1), random.Random(seed)
        self._done = False
        self._thread = threading.Thread(target=self._run, args=(count,), name="browsers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Disconnect all browsers."""
        self._done = True
        self._thread.join(60.0)

    def _run(self, count: int) -> None:
        asyncio.run(self._visit_all(count))

    async def _visit_all(self, count: int) -> None:
        await asyncio.gather(*(self._visits(number) for number in range(count)))

    async def _visits(self, number: int) -> None:
        while not self._done:
            try:
                await self._visit("ws/camera" if number == 0 else "ws/stream", reads=self._rng.random() > 0.2)
            except (OSError, WebSocketException, asyncio.TimeoutError):
                await asyncio.sleep(1.0)

    async def _visit(self, path: str, reads: bool) -> None:
        until = time.monotonic() + self._rng.uniform(*_STAY)
        async with connect(self._url + path, proxy=None, open_timeout=10, close_timeout=2, max_queue=2) as stream:
            self.connections += 1
            while time.monotonic() < until and not self._done:
                if not reads:
                    await asyncio.sleep(0.5)
                    continue
                try:
                    data = await asyncio.wait_for(stream.recv(), 1.0)
                except asyncio.TimeoutError:
                    continue
                if isinstance(data, bytes):
                    self._receive(data, path)

    def _receive(self, data: bytes, path: str) -> None:
        if path == "ws/camera":
            self.pictures += 1
            return
        self.frames += 1
        self.last_frame = time.monotonic()
        for sentence in _violations(decode_frame(data)):
            self.violations[sentence] += 1


def _violations(frame: StreamFrame) -> list[str]:
    result = []
    for face in frame.faces:
        numbers = np.concatenate([face.position, face.quaternion, face.blendshapes, [face.valence, face.arousal]])
        if not np.isfinite(numbers).all():
            result.append("expected finite numbers")
        if abs(np.linalg.norm(face.quaternion) - 1.0) > _NORM_TOLERANCE:
            result.append("expected a quaternion of norm 1")
        if not ((face.blendshapes >= 0.0) & (face.blendshapes <= 1.0)).all():
            result.append("expected blendshapes in 0..1")
    return result


class PacketReceivers:
    """Receivers of UDP packets, in a thread.

    Attributes:
        ports: by name; they are free ports.
        counts: packets by name.
        last: time of the last packet, seconds of the monotonic clock.
        violations: number of packets that violate a rule, by sentence.
    """

    def __init__(self, *names: str) -> None:
        self._sockets = {name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for name in names}
        for each in self._sockets.values():
            each.bind(("0.0.0.0", 0))
        self.ports = {name: each.getsockname()[1] for name, each in self._sockets.items()}
        self.counts: Counter[str] = Counter()
        self.last = 0.0
        self.violations: Counter[str] = Counter()
        self._done = False
        self._thread = threading.Thread(target=self._run, name="packets", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close the ports."""
        self._done = True
        self._thread.join()
        for each in self._sockets.values():
            each.close()

    def _run(self) -> None:
        names = {each: name for name, each in self._sockets.items()}
        while not self._done:
            for ready in select.select(list(names), [], [], 0.5)[0]:
                self._receive(names[ready], ready.recv(65536))

    def _receive(self, name: str, packet: bytes) -> None:
        self.counts[name] += 1
        self.last = time.monotonic()
        if name == "openseeface" and not _is_finite(packet):
            self.violations["openseeface: expected 1785 bytes with finite numbers"] += 1


def _is_finite(packet: bytes) -> bool:
    """Whether all floats of an OpenSeeFace packet are finite; see docs/avatars.md for its layout."""
    if len(packet) != OPENSEEFACE_SIZE:
        return False
    floats = np.frombuffer(packet[33:], "<f4")
    return bool(np.isfinite(floats).all() and np.isfinite(struct.unpack_from("<d", packet)[0]))
