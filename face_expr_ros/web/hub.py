"""Distribution of the latest frame to all clients, without queues. Everything here runs in the server's event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.latest_item import LatestItem
from face_expr_ros.core.types import Camera, FaceState, FloatArray
from face_expr_ros.web.codec import CodecError, encode_frame
from face_expr_ros.web.model_file import blendshapes_are_expression, etag, model_bytes, shape_units
from face_expr_ros.web.stream_frames import stream_frame

Item = TypeVar("Item")
_log = logging.getLogger(__name__)

SHAPE_CHANGE = 0.1  # standard deviations: minimum change of a coefficient that is sent at once
SHAPE_INTERVAL = 1.0  # seconds between two transmissions of an unchanged shape
LOG_INTERVAL = 5.0  # seconds between two log lines of the same error
SOURCE_TIMEOUT = 5.0  # seconds without a frame after which the source is not alive


@dataclass(frozen=True)
class Update:
    """The faces of an image, from the pipeline or a topic."""

    states: tuple[FaceState, ...]
    stamp_ns: int
    camera: Camera | None


@dataclass(frozen=True)
class Packet:
    """An encoded frame, with and without the face shapes.

    Attributes:
        light: the frame without shapes.
        encode_full: encodes the frame with shapes.
        shapes: version of the shapes in ``full``; incremented when they change by more than SHAPE_CHANGE.
    """

    light: bytes
    encode_full: Callable[[], bytes]
    shapes: int

    @cached_property
    def full(self) -> bytes:
        """The frame with shapes, encoded at the first access."""
        return self.encode_full()


@dataclass(frozen=True)
class ModelFile:
    """The current model, ready to be sent."""

    model: MorphableModel
    data: bytes
    etag: str
    units: FloatArray
    own_basis: bool


def model_file(model: MorphableModel) -> ModelFile:
    """Encode a model."""
    data = model_bytes(model)
    return ModelFile(model, data, etag(data), shape_units(model), not blendshapes_are_expression(model))


class Client(LatestItem[Item]):
    """The latest item for one connection.

    Attributes:
        sending_since: time from ``time.monotonic`` at which the current send started; None between two sends.
        task: the sending task; it is cancelled if the client stops reading.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sending_since: float | None = None
        self.task: asyncio.Task[None] | None = None


class StreamClient(Client[Packet]):
    """A client of the stream; it gets the shapes in its first frame, when they change, and every SHAPE_INTERVAL."""

    def __init__(self) -> None:
        super().__init__()
        self.model_etag = ""  # of the model named in the last hello
        self._shapes = -1
        self._shapes_sent = 0.0

    def choose(self, packet: Packet) -> bytes:
        """The bytes of the frame to send to this client."""
        now = time.monotonic()
        if packet.shapes == self._shapes and now - self._shapes_sent < SHAPE_INTERVAL:
            return packet.light
        self._shapes, self._shapes_sent = packet.shapes, now
        return packet.full


class Hub:
    """The connected clients, the current model and the counters.

    Attributes:
        streams, cameras: clients of the face stream and of the camera stream.
        model: the current model.
        source: description of the source of the faces.
        started: start time from ``time.monotonic``.
        frames, faces: number of frames since the start, and of faces in the last frame.
        pictures: number of camera pictures since the start.
        dropped: number of frames and pictures that clients were too slow for, of all clients.
        left_out: number of frames that were not sent because a value does not fit into its field.
        refused: number of refused requests by HTTP status.
    """

    def __init__(self, model: ModelFile, source: str) -> None:
        self.streams: set[StreamClient] = set()
        self.cameras: set[Client[bytes]] = set()
        self.model = model
        self.source = source
        self.started = time.monotonic()
        self.frames = self.faces = self.dropped = self.pictures = self.left_out = 0
        self.refused: dict[int, int] = {}
        self._next_log = float("-inf")
        self._frame_at: float | None = None
        self._period: float | None = None  # mean seconds between two frames
        self._shapes: dict[str, FloatArray] = {}
        self._shapes_version = 0

    @property
    def frame_rate(self) -> float:
        """Frames per second; 0 if unknown."""
        return 0.0 if not self._period else 1 / self._period

    @property
    def alive(self) -> bool:
        """Whether a frame was received within SOURCE_TIMEOUT."""
        return self._frame_at is not None and time.monotonic() - self._frame_at < SOURCE_TIMEOUT

    def publish(self, update: Update) -> None:
        """Send the faces of an image to all clients; a frame that cannot be encoded is logged and counted."""
        self._count(len(update.states))
        if not self.streams:
            return
        try:
            packet = self._packet(update)
        except CodecError as error:
            self._leave_out(error)
            return
        for client in self.streams:
            self.dropped += client.put(packet)

    def publish_picture(self, picture: bytes) -> None:
        """Send a camera picture, encoded by `picture.camera_picture`, to all clients of the camera stream."""
        self.pictures += 1
        for client in self.cameras:
            self.dropped += client.put(picture)

    def announce(self, model: ModelFile) -> None:
        """Replace the face model and notify all clients."""
        self.model = model
        for client in self.streams:
            client.wake()

    def stuck(self, timeout: float) -> list[Client[Packet] | Client[bytes]]:
        """The clients whose current send has taken longer than ``timeout`` seconds."""
        oldest = time.monotonic() - timeout
        clients: list[Client[Packet] | Client[bytes]] = [*self.streams, *self.cameras]
        return [client for client in clients if client.sending_since is not None and client.sending_since < oldest]

    def _count(self, faces: int) -> None:
        now = time.monotonic()
        if self._frame_at is not None and now - self._frame_at < SOURCE_TIMEOUT:
            period = now - self._frame_at
            self._period = period if self._period is None else 0.95 * self._period + 0.05 * period
        self._frame_at = now
        self.frames += 1
        self.faces = faces

    def _packet(self, update: Update) -> Packet:
        """Raises CodecError if a value does not fit into its field."""
        self._update_shapes_version(update.states)
        sequence, sent, model = self.frames, time.time(), self.model

        def encode(units: FloatArray | None) -> bytes:
            frame = stream_frame(
                update.states, update.stamp_ns, update.camera,
                sequence=sequence, sent=sent, shape_units=units, own_basis=model.own_basis,
            )  # fmt: skip
            return encode_frame(frame)

        return Packet(encode(None), lambda: encode(model.units), self._shapes_version)

    def _leave_out(self, error: CodecError) -> None:
        self.left_out += 1
        now = time.monotonic()
        if now >= self._next_log:
            self._next_log = now + LOG_INTERVAL
            _log.error("frame not sent: %s", error)

    def _update_shapes_version(self, states: Sequence[FaceState]) -> None:
        """Increment the version if a face is new or its shape has changed by more than SHAPE_CHANGE."""
        last = {state.id: self._shapes.get(state.id) for state in states}
        if all(_is_similar(last[state.id], state.shape, self.model.units) for state in states):
            self._shapes = {state.id: self._shapes[state.id] for state in states}
        else:
            self._shapes = {state.id: state.shape for state in states}
            self._shapes_version += 1


def _is_similar(last: FloatArray | None, shape: FloatArray, units: FloatArray) -> bool:
    if last is None or last.shape != shape.shape:
        return False
    return shape.shape != units.shape or bool(np.abs((shape - last) / units).max(initial=0.0) < SHAPE_CHANGE)
