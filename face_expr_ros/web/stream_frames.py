"""Faces as they come from the pipeline or a topic, in the values that the stream sends."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import Camera, FaceState, FloatArray
from face_expr_ros.web.codec import FACE_HEADER_SIZE, FACE_LIMIT, StreamFace, StreamFrame


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
    """A frame of faces.

    Args:
        states: the faces.
        stamp_ns: of the image.
        camera: None where unknown.
        sequence, sent: as in StreamFrame.
        shape_units: (I,) `model_file.shape_units`; None leaves the shape out.
        own_basis: the model's expression basis are not the blendshapes: send its coefficients, too.

    Of a model with more coefficients than 300 bytes hold, the first ones are sent, which move the face most.
    """
    known = camera is not None
    matrix = camera.matrix if camera is not None else np.zeros((3, 3))
    return StreamFrame(
        sequence=sequence,
        stamp=stamp_ns / 1e9,
        sent=sent,
        width=camera.width if camera is not None else 0,
        height=camera.height if camera is not None else 0,
        focal=(float(matrix[0, 0]), float(matrix[1, 1])) if known else (0.0, 0.0),
        center=(float(matrix[0, 2]), float(matrix[1, 2])) if known else (0.0, 0.0),
        faces=tuple(_stream_face(state, shape_units, own_basis) for state in states),
    )


def _stream_face(state: FaceState, shape_units: FloatArray | None, own_basis: bool) -> StreamFace:
    room = FACE_LIMIT - FACE_HEADER_SIZE - 2 * len(ARKIT_NAMES)
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
        quaternion=Rotation.from_matrix(state.pose.rotation).as_quat(),
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
    """12 for "f12"; for an id of another form a number that is always the same."""
    match = re.fullmatch(r"[A-Za-z]*(\d{1,9})", face_id)
    return int(match[1]) if match else zlib.crc32(face_id.encode())


def _in_order(names: tuple[str, ...], values: FloatArray) -> FloatArray:
    """The values in the order of ARKIT_NAMES; 0 for a name that is not among them."""
    return np.append(values, 0.0)[_places(names)]


@lru_cache(maxsize=16)  # the names come from messages: whoever sends others all the time must not fill the memory
def _places(names: tuple[str, ...]) -> NDArray[np.intp]:
    """(52,) where each of ARKIT_NAMES is among the names; their number for one that is not."""
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(name, len(names)) for name in ARKIT_NAMES])
