"""What every client gets: the newest frame, and never a queue. Everything here belongs to the server's event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, FaceState, FloatArray
from face_expr_ros.web.codec import CodecError, encode_frame
from face_expr_ros.web.model_file import blendshapes_are_expression, etag, model_bytes, shape_units
from face_expr_ros.web.stream_frames import stream_frame

Item = TypeVar("Item")
_log = logging.getLogger(__name__)

SHAPE_CHANGE = 0.1  # standard deviations: the least change of a coefficient that is sent at once
SHAPE_INTERVAL = 1.0  # seconds between two shapes of a face that does not change
LOG_INTERVAL = 5.0  # seconds between two complaints
FRESH = 5.0  # seconds without a frame after which the source counts as silent


@dataclass(frozen=True)
class Update:
    """The faces of an image, as they come from the pipeline or a topic."""

    states: tuple[FaceState, ...]
    stamp_ns: int
    camera: Camera | None


@dataclass(frozen=True)
class Packet:
    """A frame in both of its forms.

    Attributes:
        light: the frame without the shapes.
        encode_full: makes the one with them.
        shapes: number of the shapes in ``full``; the next one when they changed notably.
    """

    light: bytes
    encode_full: Callable[[], bytes]
    shapes: int

    @cached_property
    def full(self) -> bytes:
        """The frame with the shapes, encoded when the first client needs it."""
        return self.encode_full()


@dataclass(frozen=True)
class ModelFile:
    """The announced model, ready to be sent."""

    model: MorphableModel
    data: bytes
    etag: str
    units: FloatArray
    own_basis: bool


def model_file(model: MorphableModel) -> ModelFile:
    """A model with its bytes."""
    data = model_bytes(model)
    return ModelFile(model, data, etag(data), shape_units(model), not blendshapes_are_expression(model))


class Client(Generic[Item]):
    """One reader with a slot for one item: what it is too slow for is dropped.

    Attributes:
        dropped: items that were replaced before the client took them.
        sending_since: of the clock ``time.monotonic``, while an item is on its way; None otherwise.
        task: what sends; cancelled where the client takes nothing for too long.
    """

    def __init__(self, on_drop: Callable[[], None]) -> None:
        self.dropped = 0
        self.sending_since: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._on_drop = on_drop
        self._item: Item | None = None
        self._ready = asyncio.Event()

    def put(self, item: Item) -> None:
        """Hand over an item in place of the one that waits."""
        if self._item is not None:
            self.dropped += 1
            self._on_drop()
        self._item = item
        self._ready.set()

    def wake(self) -> None:
        """Let :meth:`take` return, with nothing where nothing waits."""
        self._ready.set()

    async def take(self) -> Item | None:
        """The newest item, once there is one or the client is woken."""
        await self._ready.wait()
        self._ready.clear()
        item, self._item = self._item, None
        return item


class StreamClient(Client[Packet]):
    """A reader of the stream; it gets the shapes in its first frame, when they change, and once in a while."""

    def __init__(self, on_drop: Callable[[], None]) -> None:
        super().__init__(on_drop)
        self.model_etag = ""  # of the model that its last hello named
        self._shapes = -1
        self._shapes_sent = 0.0

    def choose(self, packet: Packet) -> bytes:
        """The form of the frame that this client needs now."""
        now = time.monotonic()
        if packet.shapes == self._shapes and now - self._shapes_sent < SHAPE_INTERVAL:
            return packet.light
        self._shapes, self._shapes_sent = packet.shapes, now
        return packet.full


class Hub:
    """The clients, what they get, and the counts.

    Attributes:
        streams, cameras: the clients of the two streams.
        model: the announced model.
        source: what the faces come from, in words.
        started: of the clock ``time.monotonic``.
        frames, faces: frames since the start, and faces in the last one.
        pictures: camera pictures since the start.
        dropped: frames that clients were too slow for, all together.
        left_out: frames with numbers that do not fit into the stream.
        refused: requests that were refused, by their status.
    """

    def __init__(self, model: ModelFile, source: str) -> None:
        self.streams: set[StreamClient] = set()
        self.cameras: set[Client[bytes]] = set()
        self.model = model
        self.source = source
        self.started = time.monotonic()
        self.frames = self.faces = self.dropped = self.pictures = self.left_out = 0
        self.refused: dict[int, int] = {}
        self._complain_at = float("-inf")
        self._frame_at: float | None = None
        self._period: float | None = None  # seconds between two frames, averaged
        self._shapes: dict[str, FloatArray] = {}
        self._shapes_number = 0

    @property
    def frame_rate(self) -> float:
        """Frames per second; 0 while unknown."""
        return 0.0 if not self._period else 1 / self._period

    @property
    def alive(self) -> bool:
        """Whether a frame has come lately."""
        return self._frame_at is not None and time.monotonic() - self._frame_at < FRESH

    def publish(self, update: Update) -> None:
        """Give the faces of an image to every client; what does not fit into the stream is left out and counted."""
        self._count(len(update.states))
        if not self.streams:
            return
        try:
            packet = self._packet(update)
        except CodecError as error:
            self._leave_out(error)
            return
        for client in self.streams:
            client.put(packet)

    def show(self, picture: bytes) -> None:
        """Give a camera picture, stamp and JPEG, to every client that wants one."""
        self.pictures += 1
        for client in self.cameras:
            client.put(picture)

    def announce(self, model: ModelFile) -> None:
        """Take another face model; every client hears of it."""
        self.model = model
        for client in self.streams:
            client.wake()

    def count_drop(self) -> None:
        """One frame was replaced before its client took it."""
        self.dropped += 1

    def stuck(self, limit: float) -> list[Client[Packet] | Client[bytes]]:
        """The clients that have taken nothing for ``limit`` seconds."""
        oldest = time.monotonic() - limit
        clients: list[Client[Packet] | Client[bytes]] = [*self.streams, *self.cameras]
        return [client for client in clients if client.sending_since is not None and client.sending_since < oldest]

    def _count(self, faces: int) -> None:
        now = time.monotonic()
        if self._frame_at is not None and now - self._frame_at < FRESH:
            period = now - self._frame_at
            self._period = period if self._period is None else 0.95 * self._period + 0.05 * period
        self._frame_at = now
        self.frames += 1
        self.faces = faces

    def _packet(self, update: Update) -> Packet:
        """Raises CodecError where a number does not fit into the stream."""
        self._notice_shapes(update.states)
        sequence, sent, model = self.frames, time.time(), self.model

        def encode(units: FloatArray | None) -> bytes:
            frame = stream_frame(
                update.states, update.stamp_ns, update.camera,
                sequence=sequence, sent=sent, shape_units=units, own_basis=model.own_basis,
            )  # fmt: skip
            return encode_frame(frame)

        return Packet(encode(None), lambda: encode(model.units), self._shapes_number)

    def _leave_out(self, error: CodecError) -> None:
        self.left_out += 1
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + LOG_INTERVAL
            _log.error("a frame is left out: %s", error)

    def _notice_shapes(self, states: Sequence[FaceState]) -> None:
        """Count up where a face is new or its shape is notably not what was sent last."""
        known = {state.id: self._shapes.get(state.id) for state in states}
        if all(_alike(known[state.id], state.shape, self.model.units) for state in states):
            self._shapes = {state.id: self._shapes[state.id] for state in states}
        else:
            self._shapes = {state.id: state.shape for state in states}
            self._shapes_number += 1


def _alike(sent: FloatArray | None, now: FloatArray, units: FloatArray) -> bool:
    if sent is None or sent.shape != now.shape:
        return False
    return now.shape != units.shape or bool(np.abs((now - sent) / units).max(initial=0.0) < SHAPE_CHANGE)
