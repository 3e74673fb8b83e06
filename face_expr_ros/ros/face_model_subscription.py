"""Conversion of FaceModel messages to face models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.models.bundle import manifest, open_face_model
from face_expr_ros.msg import FaceModel


def resolve_face_model(message: FaceModel) -> MorphableModel:
    """The installed model with the message's hash, else a model of the message's content, which has fewer attributes.

    Raises:
        ValueError: the sizes of the message's arrays do not match its counts.
    """
    for bundle in manifest():
        try:
            model = open_face_model(bundle)
        except BundleError:
            continue  # not installed
        if model.sha256 == message.sha256:
            return model
    return _from_message(message)


def _from_message(message: FaceModel) -> MorphableModel:
    count, shape = message.vertex_count, (-1, message.vertex_count, 3)
    triangles = np.array(message.triangles, np.uint32).reshape(-1, 3)
    if triangles.size and triangles.max() >= count:
        raise ValueError(f"expected triangles with vertex indices below {count}, got {triangles.max()}")
    model = MorphableModel(
        name=message.model,
        sha256=message.sha256,
        mean=np.array(message.mean, np.float32).reshape(count, 3),
        identity=_basis(message.identity, shape),
        expression=_basis(message.expression, shape),
        expression_names=tuple(message.blendshape_names),
        triangles=triangles.astype(np.int32),
        uv=np.zeros((0, 2), np.float32),
        uv_triangles=np.zeros((0, 3), np.int32),
        part_names=(),
        vertex_part=np.zeros(0, np.uint8),
        mirror=np.zeros(0, np.int32),
        landmarks68=np.zeros(68, np.int32),
        sellion=0,
        facemesh_triangle=np.zeros(0, np.int32),
        facemesh_barycentric=np.zeros((0, 3), np.float32),
    )
    expected = (message.identity_count, message.expression_count)
    actual = (len(model.identity), len(model.expression))
    if actual != expected:
        raise ValueError(f"expected {expected} identity and expression vectors, got {actual}")
    return model


def _basis(values: object, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(shape)
