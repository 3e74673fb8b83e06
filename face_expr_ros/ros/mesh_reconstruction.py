"""The light way to a mesh: a subscriber rebuilds the vertices from the latched FaceModel and a face's coefficients.

The model comes once, some megabytes; after that a face is its pose and its coefficients, less than the corners of a
hundred triangles:

    node.create_subscription(FaceModel, "face_model", on_model, QoSProfile(depth=1, durability=TRANSIENT_LOCAL))
    rebuilder = MeshReconstructor(model_message)
    vertices = rebuilder.in_camera(face)  # for a Face of the topic faces: (V, 3), triangles are rebuilder.triangles
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.types import FloatArray
from face_expr_ros.msg import Face, FaceModel, FacePose


class MeshReconstructor:
    """Vertices of faces that were fitted with the model of a FaceModel message.

    Attributes:
        model: name of the model, as in FaceShape and FaceExpression.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.

    Raises:
        ValueError: the message's arrays do not fit its counts.
    """

    def __init__(self, message: FaceModel) -> None:
        self.model: str = message.model
        self.triangles: NDArray[np.uint32] = np.array(message.triangles, np.uint32).reshape(-1, 3)
        size = 3 * message.vertex_count
        self._mean = np.array(message.mean, np.float32).reshape(size)
        self._identity = np.array(message.identity, np.float32).reshape(message.identity_count, size)
        self._expression = np.array(message.expression, np.float32).reshape(message.expression_count, size)

    def in_model_axes(self, shape: ArrayLike, expression: ArrayLike) -> FloatArray:
        """(V, 3) meters, x to the subject's left, y up, z out of the face, for coefficients of both kinds.

        Raises ValueError when there are not as many coefficients as the model has.
        """
        return self._vertices(np.asarray(shape, np.float32), np.asarray(expression, np.float32)).reshape(-1, 3)

    def in_camera(self, face: Face) -> FloatArray:
        """(V, 3) meters in the frame of the face's header.

        Raises ValueError when the face was fitted with another model.
        """
        if face.shape.model != self.model:
            raise ValueError(f"a face of the model {self.model!r} was wanted, one of {face.shape.model!r} was given")
        return to_header_frame(self.in_model_axes(face.shape.coefficients, face.expression.coefficients), face.pose)

    def _vertices(self, shape: NDArray[np.float32], expression: NDArray[np.float32]) -> NDArray[np.float32]:
        for what, given, basis in (("shape", shape, self._identity), ("expression", expression, self._expression)):
            if given.shape != (len(basis),):
                raise ValueError(f"{len(basis)} {what} coefficients were wanted, {given.size} were given")
        return self._mean + shape @ self._identity + expression @ self._expression


def to_header_frame(vertices: FloatArray, message: FacePose) -> FloatArray:
    """Vertices (V, 3) in model axes, where a FacePose puts them: meters in the frame of its header."""
    q, p = message.pose.orientation, message.pose.position
    rotation = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix() @ FACE_FRAME.T
    return vertices @ rotation.T + np.array([p.x, p.y, p.z])
