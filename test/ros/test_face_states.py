"""Face states from messages equal those from the pipeline; invalid messages are rejected."""

from dataclasses import replace

import numpy as np
import pytest
from std_msgs.msg import Header
from support.faces import CAMERA, make_face

from face_expr_ros.core.types import NO_READOUTS, face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.encode import face_array
from face_expr_ros.ros.face_states import face_states


@pytest.fixture(scope="module")
def face():
    face = make_face(open_face_model("open"), "f3", jawOpen=0.4)
    return replace(face, readouts=replace(NO_READOUTS, looking_at_camera=0.75, speaking=0.5))


@pytest.fixture
def message(face):
    header = Header(frame_id="camera_optical_frame")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    return face_array([face], CAMERA, "open", header)


def test_a_face_survives_the_round_trip_through_a_message(face, message):
    (received,), sent = face_states(message), face_state(face, 12_000_000_034, "open")
    assert (received.id, received.stamp_ns, received.model) == ("f3", 12_000_000_034, "open")
    assert received.blendshapes.names == sent.blendshapes.names
    np.testing.assert_allclose(received.pose.rotation, sent.pose.rotation, atol=1e-6)
    np.testing.assert_allclose(received.pose.position, sent.pose.position, atol=1e-6)
    for name in ("shape", "expression", "landmarks"):
        np.testing.assert_allclose(getattr(received, name), getattr(sent, name), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(received.blendshapes.values, sent.blendshapes.values, rtol=1e-6)
    assert received.readouts.mouth_open == sent.readouts.mouth_open
    assert (received.readouts.looking_at_camera, received.readouts.speaking) == (0.75, 0.5)


def test_a_message_without_faces_has_no_face_states(message):
    message.faces = []
    assert face_states(message) == ()


@pytest.mark.parametrize("x", [float("nan"), float("-inf"), 1e39])
def test_a_position_that_is_not_finite_is_rejected(message, x):
    message.faces[0].pose.pose.position.x = x
    with pytest.raises(ValueError, match="expected a finite pose and a nonzero quaternion for face 'f3'"):
        face_states(message)


def test_a_zero_quaternion_is_rejected(message):
    orientation = message.faces[0].pose.pose.orientation
    orientation.x = orientation.y = orientation.z = orientation.w = 0.0
    with pytest.raises(ValueError, match="quaternion"):
        face_states(message)


def test_a_blendshape_value_without_a_name_is_rejected(message):
    message.faces[0].expression.blendshape_names = ["jawOpen"]
    with pytest.raises(ValueError, match="expected a value for each of 1 blendshape names, got 52 values"):
        face_states(message)


@pytest.mark.parametrize("count", [9, 3 * 468, 3 * 478 - 1])
def test_a_wrong_number_of_landmarks_is_rejected(message, count):
    message.faces[0].landmarks = [0.5] * count
    expected = f"expected 0 or 478 landmarks with 3 values each for face 'f3', got {count} values"
    with pytest.raises(ValueError, match=expected):
        face_states(message)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("", "confidence", float("nan")),
        ("", "confidence", 1.5),
        ("", "speaking", -0.5),
        ("", "landmarks", [float("inf")] * 3 * 478),
        ("expression", "blendshapes", [2.0] * 52),
        ("expression", "valence", float("-inf")),
        ("expression", "coefficients", [float("nan")]),
        ("shape", "coefficients", [1e30]),
    ],
)
def test_values_that_are_out_of_range_or_not_finite_are_rejected(message, part, field, value):
    face = message.faces[0]
    setattr(getattr(face, part) if part else face, field, value)
    with pytest.raises(ValueError, match=rf"expected .*values.* of .*{field} for face 'f3', got"):
        face_states(message)
