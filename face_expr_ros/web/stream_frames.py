"""Conversion of face states to frames of the stream."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.rotations import quaternion_from_rotation
from face_expr_ros.core.types import Camera, FaceState, FloatArray
from face_expr_ros.web.codec import FACE_HEADER_SIZE, MAX_FACE_SIZE, StreamFace, StreamFrame


def stream_frame(
    states: Sequence[FaceState],
    stamp_ns: int,
    camera: Camera | None,
    *,
    sequence: int,
    sent: float,
    shape_units: FloatArray | None = None,
    own_basis: bool = False,
) -> StreamFrame:
    """Build a frame.

    Args:
        states: the faces.
        stamp_ns: of the image.
        camera: None if unknown.
        sequence, sent: as in StreamFrame.
        shape_units: (I,) `model_file.shape_units`; None omits the shapes.
        own_basis: the expression basis of the model is not the blendshapes: also send its coefficients.

    Coefficients that do not fit into 300 bytes are omitted; the first ones, which have the largest effect, are sent.
    """
    width, height, matrix = (0, 0, np.zeros((3, 3))) if camera is None else (camera.width, camera.height, camera.matrix)
    return StreamFrame(
        sequence=sequence,
        stamp=stamp_ns / 1e9,
        sent=sent,
        width=width,
        height=height,
        focal=(float(matrix[0, 0]), float(matrix[1, 1])),
        center=(float(matrix[0, 2]), float(matrix[1, 2])),
        faces=tuple(_stream_face(state, shape_units, own_basis) for state in states),
    )


def _stream_face(state: FaceState, shape_units: FloatArray | None, own_basis: bool) -> StreamFace:
    room = MAX_FACE_SIZE - FACE_HEADER_SIZE - 2 * len(ARKIT_NAMES)
    shape = expression = None
    if own_basis:
        expression = state.expression[: (room - 1) // 4]
        room -= 1 + 4 * len(expression)
    if shape_units is not None and len(state.shape) == len(shape_units):
        shape = (state.shape / shape_units)[: room - 1]
    return StreamFace(
        id=numeric_id(state.id),
        confidence=state.confidence,
        position=state.pose.position,
        quaternion=quaternion_from_rotation(state.pose.rotation),
        roi=state.roi,
        metric=state.pose.metric,
        mouth_open=state.readouts.mouth_open,
        label=state.readouts.label,
        valence=state.readouts.valence,
        arousal=state.readouts.arousal,
        blendshapes=_in_order(state.blendshapes.names, state.blendshapes.values),
        shape=shape,
        expression=expression,
    )


def numeric_id(face_id: str) -> int:
    """12 for "f12" or "front_f12"; a constant hash for ids of another form."""
    match = re.fullmatch(r"(?:\w*_)?[A-Za-z]*(\d{1,9})", face_id)
    return int(match[1]) if match else zlib.crc32(face_id.encode())


def _in_order(names: tuple[str, ...], values: FloatArray) -> FloatArray:
    """The values in the order of ARKIT_NAMES; 0 for missing names."""
    return np.append(values, 0.0)[_indices(names)]


@lru_cache(maxsize=16)  # bounded, because the names come from messages
def _indices(names: tuple[str, ...]) -> NDArray[np.intp]:
    """(52,) index of each of ARKIT_NAMES in the names; the number of names if missing."""
    index = {name: number for number, name in enumerate(names)}
    return np.array([index.get(name, len(names)) for name in ARKIT_NAMES])
