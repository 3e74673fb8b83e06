"""A mesh reconstructed by a subscriber equals that of the node."""

from __future__ import annotations

import numpy as np
import pytest
from face_expr_ros.msg import Face as FaceMessage
from face_expr_ros.msg import FaceArray, FaceModel
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler, to_camera
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.ros import encode
from face_expr_ros.ros.cdr import CdrWriter
from face_expr_ros.ros.mesh_reconstruction import MeshReconstructor
from face_expr_ros.serialization.message_dicts import face_array_values

CAMERA = pinhole_camera(640, 480, 50.0)
HEADER = Header(frame_id="camera_optical_frame")
ROUNDING = 1e-6  # meters


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def reconstructor(model: MorphableModel) -> MeshReconstructor:
    message = encode.face_model(model, model.expression_names, HEADER)
    return MeshReconstructor(deserialize_message(serialize_message(message), FaceModel))


def make_face(model: MorphableModel) -> Face:
    rng = np.random.default_rng(3)
    pose = Pose(rotation_from_euler(0.5, -0.3, 0.2), np.array([0.1, -0.2, 0.9]), metric=True)
    shape, expression = rng.normal(size=len(model.identity)), rng.random(len(model.expression))
    fit = FaceFit(pose, shape, expression, 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
    return Face("f1", 1.0, Roi(0, 0, 1, 1), None, fit, Blendshapes(model.expression_names, expression))


def received(face: Face, model_name: str) -> FaceMessage:
    data = CdrWriter(FaceArray)(face_array_values([face], CAMERA, model_name, HEADER))
    return deserialize_message(data, FaceArray).faces[0]


def test_reconstructed_vertices_equal_the_fitted_ones(model: MorphableModel, reconstructor: MeshReconstructor) -> None:
    face = make_face(model)
    expected = to_camera(model.vertices(face.fit.shape, face.fit.expression), face.fit.pose)
    np.testing.assert_allclose(reconstructor.in_camera(received(face, model.name)), expected, atol=ROUNDING)
    np.testing.assert_array_equal(reconstructor.triangles, model.triangles)


def test_pose_and_coefficients_without_names_are_below_a_kilobyte(model: MorphableModel) -> None:
    (face,) = ReadoutReader(ExpressionConfig())((make_face(model),), 0)
    messages = (
        encode.face_pose(face, HEADER),
        encode.face_shape(face, model.name, HEADER),
        encode.face_expression(face, model.name, HEADER, names=False),
    )
    assert sum(len(serialize_message(message)) for message in messages) < 1000  # bytes
    _, shape, expression = messages
    assert not expression.blendshape_names
    assert not expression.action_units
    assert expression.label
    np.testing.assert_allclose(expression.coefficients, face.fit.expression, rtol=1e-6)
    np.testing.assert_allclose(shape.coefficients, face.fit.shape, rtol=1e-6)


def test_a_face_of_another_model_is_rejected(model: MorphableModel, reconstructor: MeshReconstructor) -> None:
    with pytest.raises(ValueError, match="expected a face of the model 'open', got one of '3ddfa_v2'"):
        reconstructor.in_camera(received(make_face(model), "3ddfa_v2"))


def test_a_wrong_number_of_coefficients_is_rejected(reconstructor: MeshReconstructor) -> None:
    with pytest.raises(ValueError, match="expected 52 expression coefficients, got 10"):
        reconstructor.in_model_axes(np.zeros(40), np.zeros(10))
