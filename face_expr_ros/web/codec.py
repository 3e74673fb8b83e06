"""Binary encoding of the stream: at most 300 bytes per face; docs/web.md defines the layout with its offsets."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from face_expr_ros.core.types import FloatArray, Roi
from face_expr_ros.perception.expression.affect import LABELS

MAGIC, VERSION = 0xFE, 1
MAX_FACE_SIZE = 300  # bytes
SHAPE_STEP = 4 / 127  # standard deviations
NO_LABEL = 255

# Little-endian, without padding.
_HEADER = struct.Struct("<BBHIddIIffff")
_FACE = struct.Struct("<If3f4f4HBBbbB")
HEADER_SIZE = _HEADER.size  # bytes of a frame before the faces
FACE_HEADER_SIZE = _FACE.size  # bytes of a face before the blendshapes
_METRIC, _MOUTH_OPEN, _SHAPE, _EXPRESSION = 1, 2, 4, 8


class CodecError(ValueError):
    """Data that is not a frame of the stream, or values that do not fit into their fields."""


@dataclass(frozen=True)
class StreamFace:
    """One face of a frame.

    Attributes:
        id: the number of the face id: 12 for "f12".
        confidence: 0..1.
        position: (3,) the sellion in the camera's optical frame, meters.
        quaternion: (4,) x, y, z, w of the rotation from model axes to the camera frame.
        roi: integer pixels in 0..65535.
        metric, mouth_open: as in Pose and Readouts.
        label: one of ``LABELS``, or empty.
        valence, arousal: -1..1.
        blendshapes: (B,) 0..1 in the order of the names in hello.
        shape: (S,) standard deviations in -4..4; None if not part of this frame.
        expression: (E,) in the model's own basis; None if that basis is the blendshapes.
    """

    id: int
    confidence: float
    position: FloatArray
    quaternion: FloatArray
    roi: Roi
    metric: bool
    mouth_open: bool
    label: str
    valence: float
    arousal: float
    blendshapes: FloatArray
    shape: FloatArray | None = None
    expression: FloatArray | None = None


@dataclass(frozen=True)
class StreamFrame:
    """The faces of one image.

    Attributes:
        sequence: frame number.
        stamp, sent: seconds: image stamp, and time of sending by the server's clock.
        width, height: of the image, pixels; 0 if unknown.
        focal, center: fx, fy and cx, cy of the camera, pixels; 0 if unknown.
    """

    sequence: int
    stamp: float
    sent: float
    width: int
    height: int
    focal: tuple[float, float]
    center: tuple[float, float]
    faces: tuple[StreamFace, ...] = field(default=())


def encode_frame(frame: StreamFrame) -> bytes:
    """Encode a frame.

    Raises:
        CodecError: a face needs more than 300 bytes, a value does not fit into its field, or is not finite.
    """
    _check_finite(frame)
    try:
        header = _HEADER.pack(
            MAGIC, VERSION, len(frame.faces), frame.sequence & 0xFFFFFFFF, frame.stamp, frame.sent,
            frame.width, frame.height, *frame.focal, *frame.center,
        )  # fmt: skip
        return header + b"".join(_encode_face(face) for face in frame.faces)
    except (struct.error, OverflowError) as error:
        raise CodecError(f"a value does not fit into its field: {error}") from error


def decode_frame(data: bytes) -> StreamFrame:
    """Decode a frame.

    Raises:
        CodecError: not a frame, of another version, too short or too long, or with values that are not finite.
    """
    reader = _Reader(data)
    magic, version, count, sequence, stamp, sent, width, height, *camera = reader.unpack(_HEADER)
    if (magic, version) != (MAGIC, VERSION):
        raise CodecError(f"expected magic {MAGIC:#x} and version {VERSION}, got {magic:#x} and {version}")
    faces = tuple(_decode_face(reader) for _ in range(count))
    reader.expect_end()
    focal, center = (camera[0], camera[1]), (camera[2], camera[3])
    frame = StreamFrame(sequence, stamp, sent, width, height, focal, center, faces)
    _check_finite(frame)
    return frame


def _check_finite(frame: StreamFrame) -> None:
    """Raise CodecError if a value is not finite, except blendshapes and shape, whose fields have no such values."""
    camera = (frame.stamp, frame.sent, *frame.focal, *frame.center)
    if not all(map(math.isfinite, camera)):
        raise CodecError(f"expected finite times and a finite camera, got {camera}")
    for face in frame.faces:
        values = (face.confidence, *face.position, *face.quaternion)
        expression = () if face.expression is None else face.expression
        if not (all(map(math.isfinite, values)) and np.isfinite(expression).all()):
            raise CodecError(f"expected finite numbers for the face {face.id}, got {values} and {expression}")


def _encode_face(face: StreamFace) -> bytes:
    flags = face.metric * _METRIC | face.mouth_open * _MOUTH_OPEN
    flags |= (face.shape is not None) * _SHAPE | (face.expression is not None) * _EXPRESSION
    roi = (_integer(value, 0, 65535) for value in (face.roi.x, face.roi.y, face.roi.width, face.roi.height))
    label = LABELS.index(face.label) if face.label in LABELS else NO_LABEL
    affect = (_integer(127 * value, -127, 127) for value in (face.valence, face.arousal))
    parts = [
        _FACE.pack(
            face.id, face.confidence, *face.position, *face.quaternion, *roi, flags, label, *affect,
            len(face.blendshapes),
        ),
        _quantized(face.blendshapes, 65535, 0, 65535, "<u2"),
    ]  # fmt: skip
    if face.shape is not None:
        parts += [struct.pack("B", len(face.shape)), _quantized(face.shape, 1 / SHAPE_STEP, -127, 127, "i1")]
    if face.expression is not None:
        parts += [struct.pack("B", len(face.expression)), np.asarray(face.expression, "<f4").tobytes()]
    data = b"".join(parts)
    if len(data) > MAX_FACE_SIZE:
        raise CodecError(f"expected at most {MAX_FACE_SIZE} bytes per face, got {len(data)}")
    return data


def _decode_face(reader: _Reader) -> StreamFace:
    number, confidence, *rest = reader.unpack(_FACE)
    position, quaternion, roi = rest[:3], rest[3:7], rest[7:11]
    flags, label, valence, arousal, count = rest[11:]
    if label != NO_LABEL and label >= len(LABELS):
        raise CodecError(f"expected a label below {len(LABELS)} or {NO_LABEL}, got {label}")
    blendshapes = reader.array("<u2", count) / 65535
    shape = reader.array("i1", reader.byte()) * SHAPE_STEP if flags & _SHAPE else None
    expression = _single(reader.array("<f4", reader.byte())) if flags & _EXPRESSION else None
    return StreamFace(
        id=number,
        confidence=confidence,
        position=np.array(position),
        quaternion=np.array(quaternion),
        roi=Roi(*roi),
        metric=bool(flags & _METRIC),
        mouth_open=bool(flags & _MOUTH_OPEN),
        label="" if label == NO_LABEL else LABELS[label],
        valence=valence / 127,
        arousal=arousal / 127,
        blendshapes=blendshapes,
        shape=shape,
        expression=expression,
    )


def _single(values: FloatArray) -> FloatArray:
    """float32 as float64; NaN is converted without NumPy's warning, and refused later."""
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def _integer(value: float, low: int, high: int) -> int:
    """The nearest integer within the bounds; 0 if not finite."""
    return int(min(high, max(low, round(value)))) if np.isfinite(value) else 0


def _quantized(values: FloatArray, scale: float, low: int, high: int, kind: str) -> bytes:
    numbers = np.nan_to_num(np.asarray(values, np.float64) * scale)
    return np.clip(np.rint(numbers), low, high).astype(kind).tobytes()


class _Reader:
    """Reads a frame sequentially."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self._take(layout.size))

    def byte(self) -> int:
        return self._take(1)[0]

    def array(self, kind: str, count: int) -> FloatArray:
        return np.frombuffer(self._take(count * np.dtype(kind).itemsize), kind)

    def expect_end(self) -> None:
        if self._offset != len(self._data):
            raise CodecError(f"expected {self._offset} bytes, got {len(self._data)}")

    def _take(self, size: int) -> bytes:
        start, self._offset = self._offset, self._offset + size
        if self._offset > len(self._data):
            raise CodecError(f"expected at least {self._offset} bytes, got {len(self._data)}")
        return self._data[start : self._offset]
