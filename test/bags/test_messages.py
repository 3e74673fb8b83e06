"""Messages are serialized byte for byte as rosbags does it, from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from rosbags.interfaces import Nodetype
from support.bag_files import CAMERA

from face_expr_ros.bags.messages import FACE_ARRAY, FACE_EXPRESSION, MARKER, TF, cdr, package_types
from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.markers import FaceMarker
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Landmarks, Pose, Readouts, Roi
from face_expr_ros.serialization.cdr import CdrLayoutError
from face_expr_ros.serialization.marker_values import marker_values
from face_expr_ros.serialization.message_dicts import (
    face_array_values,
    face_expression_values,
    header_values,
    transform_values,
)

HEADER = header_values(1_700_000_000_123_456_789, "lens")
POSE = Pose(rotation_from_euler(0.1, -0.2, 0.3), np.array([0.1, -0.2, 0.7]), metric=True)


def face(face_id: str, landmarks: bool) -> Face:
    rng = np.random.default_rng(len(face_id))
    fit = FaceFit(POSE, rng.normal(size=7), rng.random(52), 0.0, np.zeros((68, 3)), rng.normal(size=(3, 4)), 1.0)
    points = Landmarks(rng.random((478, 3)).astype(np.float32), 1.0) if landmarks else None
    read = Readouts(("AU26", "AU45L"), np.array([0.5, 0.25]), 0.5, -0.25, "surprised", True, 0.75, 0.5)
    return Face(face_id, 0.75, Roi(10, 20, 30, 40), points, fit, Blendshapes(ARKIT_NAMES, rng.random(52)), read)


FACES = (face("f1", True), face("face22", False))
TRIANGLE = FaceMarker("f1", 2, pose=POSE, points=np.eye(3), colors=np.eye(3, 4, dtype=np.float32))
MESSAGES: dict[str, tuple[str, Any]] = {
    "faces": (FACE_ARRAY, face_array_values(FACES, CAMERA, "open", HEADER)),
    "no faces": (FACE_ARRAY, face_array_values((), CAMERA, "open", HEADER)),
    "expression": (FACE_EXPRESSION, face_expression_values(FACES[0], "open", HEADER)),
    "marker": (MARKER, marker_values(TRIANGLE, HEADER, 2.5)),
    "deletion": (MARKER, marker_values(FaceMarker("f1", 0, action=2), HEADER, 0.0)),
    "tf": (TF, {"transforms": [transform_values(one, HEADER) for one in FACES]}),
}


def message(name: str, values: Any) -> Any:
    """The message as an object of rosbags."""
    store = package_types()
    fields = store.fielddefs[name][1]
    if not isinstance(values, Mapping):  # a row of numbers
        values = dict(zip((field for field, _ in fields), values.tolist(), strict=True))
    return store.types[name](**{field: value_of(kind, values[field]) for field, kind in fields})


def value_of(kind: Any, value: Any) -> Any:
    node, detail = kind
    if node == Nodetype.NAME:
        return message(detail, value)
    if node == Nodetype.BASE:
        return value
    (element, name), _ = detail
    if element == Nodetype.NAME:
        return [message(name, entry) for entry in value]
    if name[0] == "string":
        return list(value)
    return np.frombuffer(value, name[0]) if isinstance(value, bytes) else np.asarray(value, name[0]).ravel()


@pytest.mark.parametrize("case", MESSAGES)
def test_bytes_are_those_of_rosbags(case: str) -> None:
    name, values = MESSAGES[case]
    assert cdr(name, values) == bytes(package_types().serialize_cdr(message(name, values), name))


def test_missing_field_is_an_error() -> None:
    with pytest.raises(KeyError, match="has a field 'faces', which is missing"):
        cdr(FACE_ARRAY, {"header": HEADER})


def test_unknown_type_is_an_error() -> None:
    with pytest.raises(CdrLayoutError, match="type unknown/msg/Type are not supported"):
        cdr("unknown/msg/Type", {})
