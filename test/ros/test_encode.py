"""Messages contain the faces of the pipeline after serialization and deserialization."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from face_expr_ros.msg import FaceArray, FaceExpression, FaceModel, FaceShape
from rclpy.lifecycle import LifecycleNode
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from support.faces import CAMERA, PITCH, ROLL, YAW, make_face

from face_expr_ros.core.config import ExpressionConfig, OutputConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import BLINK, FaceEvent, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.ros import encode
from face_expr_ros.ros.message_fields import message_object
from face_expr_ros.ros.outputs import Outputs
from face_expr_ros.ros.transforms import face_transforms

HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical_frame")
FLOAT32 = 1e-6  # relative rounding of a float32 field


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def round_trip(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))


def test_a_face_array_contains_all_values_of_its_faces(model: MorphableModel) -> None:
    faces = [make_face(model, "f1", jawOpen=0.5), make_face(model, "f9")]
    message: FaceArray = round_trip(encode.face_array(faces, CAMERA, model.name, HEADER))
    assert message.header == HEADER
    assert [face.face_id for face in message.faces] == ["f1", "f9"]
    for received, face in zip(message.faces, faces, strict=True):
        assert received.confidence == 0.75
        assert face.landmarks is not None
        np.testing.assert_array_equal(np.reshape(received.landmarks, (478, 3)), face.landmarks.points)
        np.testing.assert_allclose(received.shape.coefficients, face.fit.shape, rtol=FLOAT32)
        np.testing.assert_allclose(received.expression.coefficients, face.fit.expression, rtol=FLOAT32)
        np.testing.assert_allclose(received.expression.blendshapes, face.blendshapes.values, rtol=FLOAT32)
        assert tuple(received.expression.blendshape_names) == model.expression_names
        for part in (received.pose, received.shape, received.expression):
            assert part.header == HEADER
            assert part.face_id == face.id
        assert received.shape.model == received.expression.model == model.name


def test_an_expression_contains_the_readouts(model: MorphableModel) -> None:
    smiling = make_face(model, jawOpen=0.5, mouthSmileLeft=0.8, mouthSmileRight=0.8)
    (face,) = ReadoutReader(ExpressionConfig())((smiling,), 0)
    message: FaceExpression = round_trip(encode.face_expression(face, model.name, HEADER))
    assert tuple(message.action_unit_names) == face.readouts.action_unit_names
    np.testing.assert_allclose(message.action_units, face.readouts.action_units, rtol=FLOAT32)
    assert message.valence == pytest.approx(face.readouts.valence, rel=FLOAT32)
    assert message.arousal == pytest.approx(face.readouts.arousal, rel=FLOAT32)
    assert (message.label, message.mouth_open) == ("happy", True)


def test_a_face_event_contains_face_type_and_duration() -> None:
    message = round_trip(encode.face_event("f3", FaceEvent(BLINK, 0.25), HEADER))
    assert message.header == HEADER
    assert (message.face_id, message.type, message.duration) == ("f3", "blink", 0.25)


def test_missing_readouts_are_empty(model: MorphableModel) -> None:
    message = round_trip(encode.face_expression(make_face(model), model.name, HEADER))
    assert not message.action_unit_names
    assert not message.action_units
    assert (message.valence, message.arousal, message.label, message.mouth_open) == (0.0, 0.0, "", False)


def test_a_face_without_landmarks_has_an_empty_landmark_field(model: MorphableModel) -> None:
    without = replace(make_face(model), landmarks=None)
    message: FaceArray = round_trip(encode.face_array([without], CAMERA, model.name, HEADER))
    assert len(message.faces[0].landmarks) == 0


def test_no_faces_are_an_empty_array_with_the_header_of_the_image(model: MorphableModel) -> None:
    message = round_trip(encode.face_array([], CAMERA, model.name, HEADER))
    assert message.header == HEADER
    assert not message.faces


def test_a_face_pose_contains_angles_position_and_projection(model: MorphableModel) -> None:
    message = encode.face_pose(make_face(model), HEADER)
    assert (message.yaw, message.pitch, message.roll) == pytest.approx((YAW, PITCH, ROLL))
    position = message.pose.position
    assert (position.x, position.y, position.z) == (0.05, -0.02, 0.8)
    assert message.metric
    np.testing.assert_allclose(message.weak_perspective, make_face(model).fit.weak_perspective.ravel(), rtol=FLOAT32)


@pytest.mark.parametrize(
    ("model_axis", "face_axis"),
    [([0, 0, 1], [1, 0, 0]), ([1, 0, 0], [0, 1, 0]), ([0, 1, 0], [0, 0, 1])],
    ids=["x: out of the face", "y: to the subject's left", "z: to the scalp"],
)
def test_the_face_frame_is_that_of_rep_155(model: MorphableModel, model_axis: list[int], face_axis: list[int]) -> None:
    face = make_face(model)
    q = encode.face_pose(face, HEADER).pose.orientation
    from_face_frame = Rotation.from_quat([q.x, q.y, q.z, q.w])
    np.testing.assert_allclose(from_face_frame.apply(face_axis), face.fit.pose.rotation @ model_axis, atol=1e-12)


def test_the_x_axis_of_a_frontal_face_points_to_the_camera(model: MorphableModel) -> None:
    pose = Pose(rotation_from_euler(0, 0, 0), np.array([0, 0, 1.0]), metric=True)
    q = encode.pose_message(pose).orientation
    axes = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    np.testing.assert_allclose(axes, [[0, 1, 0], [0, 0, -1], [-1, 0, 0]], atol=1e-12)


def test_tf_frames_have_the_pose_and_the_frame_of_the_image(model: MorphableModel) -> None:
    face = make_face(model, "f3")
    (transform,) = face_transforms([face], HEADER)
    pose = encode.pose_message(face.fit.pose)
    assert (transform.header, transform.child_frame_id) == (HEADER, "face_f3")
    assert transform.transform.rotation == pose.orientation
    assert transform.transform.translation.z == pose.position.z


def test_an_image_without_a_frame_id_has_no_tf_frames(model: MorphableModel) -> None:
    assert face_transforms([make_face(model)], Header()) == []


ROIS = {
    "inside": (Roi(10.4, 20.6, 30.0, 40.0), (10, 21, 31, 41)),
    "over the left and upper edge": (Roi(-20.0, -10.0, 50.0, 40.0), (0, 0, 31, 31)),
    "over the right and lower edge": (Roi(600.0, 450.0, 100.0, 100.0), (600, 450, 40, 30)),
    "larger than the image": (Roi(-100.0, -100.0, 2000.0, 2000.0), (0, 0, 640, 480)),
    "beside the image": (Roi(700.0, 10.0, 50.0, 50.0), (0, 0, 0, 0)),
    "above the image": (Roi(10.0, -200.0, 50.0, 50.0), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("case", ROIS)
def test_a_region_of_interest_is_clipped_to_the_image(model: MorphableModel, case: str) -> None:
    roi, expected = ROIS[case]
    message = encode.face_array([make_face(model, roi=roi)], CAMERA, model.name, HEADER)
    clipped = message.faces[0].roi
    assert (clipped.x_offset, clipped.y_offset, clipped.width, clipped.height) == expected


@pytest.mark.parametrize(
    "values", [np.arange(6.0)[::2], [1, 2, 3], np.eye(3), np.zeros((0, 3)), np.arange(3, dtype=">f4")]
)
def test_numbers_of_any_layout_are_converted_to_float32(values: Any) -> None:
    coefficients = message_object(FaceShape, {"coefficients": values}).coefficients
    assert coefficients == array("f", np.ravel(values).tolist())


def test_vertices_can_be_computed_from_the_face_model_message(model: MorphableModel) -> None:
    message: FaceModel = round_trip(encode.face_model(model, model.expression_names, HEADER))
    face = make_face(model, jawOpen=0.7, eyeBlinkLeft=0.4)
    count = message.vertex_count * 3
    identity = np.reshape(message.identity, (message.identity_count, count))
    expression = np.reshape(message.expression, (message.expression_count, count))
    vertices = np.array(message.mean) + face.fit.shape @ identity + face.fit.expression @ expression
    expected = model.vertices(face.fit.shape, face.fit.expression)
    np.testing.assert_allclose(vertices.reshape(-1, 3), expected, atol=1e-6)  # meters
    np.testing.assert_array_equal(np.reshape(message.triangles, (-1, 3)), model.triangles)
    assert (message.model, message.sha256) == (model.name, model.sha256)
    assert tuple(message.blendshape_names) == model.expression_names


def test_image_bytes_accept_an_array_that_is_not_contiguous() -> None:
    image = np.arange(10 * 8 * 3, dtype=np.uint8).reshape(10, 8, 3)[:, 1:6]
    message = deserialize_message(encode.image_bytes(image, HEADER), Image)
    assert (message.height, message.width, message.step, message.encoding) == (10, 5, 15, "bgr8")
    np.testing.assert_array_equal(np.reshape(message.data, (10, 5, 3)), image)


@pytest.mark.parametrize("frame_id", ["", "c", "camera", "camera_optical_frame"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (480, 640)])
def test_image_bytes_deserialize_to_the_image_message(size: tuple[int, int], frame_id: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    header = Header(stamp=Time(sec=3, nanosec=7), frame_id=frame_id)
    data = array("B", image.tobytes())
    expected = Image(header=header, height=size[0], width=size[1], encoding="bgr8", step=3 * size[1], data=data)
    assert deserialize_message(encode.image_bytes(image, header), Image) == expected


def test_an_unsupported_annotated_mode_is_rejected_at_startup(model: MorphableModel, ros: None) -> None:
    sparse = replace(model, name="3ddfa_v2", triangles=np.zeros((0, 3), np.int32))
    node = LifecycleNode("refused")
    with pytest.raises(BundleError, match="depth requires the dense face model, but '3ddfa_v2' is installed"):
        Outputs(node, sparse, OutputConfig(annotated="depth"))
    node.destroy_node()
