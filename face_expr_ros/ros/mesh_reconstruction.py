"""Reconstruction of meshes in a subscriber, from the latched FaceModel and the coefficients of a face.

The model, some megabytes, is transferred once. After that a face consists of its pose and coefficients, which is less
data than the corners of a hundred triangles:

    node.create_subscription(FaceModel, "face_model", on_model, QoSProfile(depth=1, durability=TRANSIENT_LOCAL))
    reconstructor = MeshReconstructor(model_message)
    vertices = reconstructor.in_camera(face)  # Face of the topic faces -> (V, 3); reconstructor.triangles: (T, 3)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.rotations import rotation_from_quaternion
from face_expr_ros.core.types import FloatArray
from face_expr_ros.msg import Face, FaceModel, FacePose


class MeshReconstructor:
    """Vertices of faces that were fitted with the model of a FaceModel message.

    Attributes:
        model: name of the model, as in FaceShape and FaceExpression.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.

    Raises:
        ValueError: the sizes of the message's arrays do not match its counts.
    """

    def __init__(self, message: FaceModel) -> None:
        self.model: str = message.model
        self.triangles: NDArray[np.uint32] = np.array(message.triangles, np.uint32).reshape(-1, 3)
        size = 3 * message.vertex_count
        self._mean = np.array(message.mean, np.float32).reshape(size)
        self._identity = np.array(message.identity, np.float32).reshape(message.identity_count, size)
        self._expression = np.array(message.expression, np.float32).reshape(message.expression_count, size)

    def in_model_axes(self, shape: ArrayLike, expression: ArrayLike) -> FloatArray:
        """Vertices (V, 3) in meters for coefficients; x to the subject's left, y up, z out of the face.

        Raises ValueError if the number of coefficients is not that of the model.
        """
        return self._vertices(np.asarray(shape, np.float32), np.asarray(expression, np.float32)).reshape(-1, 3)

    def in_camera(self, face: Face) -> FloatArray:
        """Vertices (V, 3) in the frame of the face's header, meters.

        Raises ValueError if the face was fitted with another model.
        """
        if face.shape.model != self.model:
            raise ValueError(f"expected a face of the model {self.model!r}, got one of {face.shape.model!r}")
        return to_header_frame(self.in_model_axes(face.shape.coefficients, face.expression.coefficients), face.pose)

    def _vertices(self, shape: NDArray[np.float32], expression: NDArray[np.float32]) -> NDArray[np.float32]:
        for name, values, basis in (("shape", shape, self._identity), ("expression", expression, self._expression)):
            if values.shape != (len(basis),):
                raise ValueError(f"expected {len(basis)} {name} coefficients, got {values.size}")
        return self._mean + shape @ self._identity + expression @ self._expression


def to_header_frame(vertices: FloatArray, message: FacePose) -> FloatArray:
    """Transform vertices (V, 3) from model axes to the frame of a FacePose's header; meters."""
    q, p = message.pose.orientation, message.pose.position
    rotation = rotation_from_quaternion(np.array([q.x, q.y, q.z, q.w])) @ FACE_FRAME.T
    return vertices @ rotation.T + np.array([p.x, p.y, p.z])
