"""Faces for those who follow them, from the pipeline and from messages."""

import numpy as np
import pytest
from std_msgs.msg import Header
from support.faces import CAMERA, make_face

from face_expr_ros.core.types import face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.encode import face_array
from face_expr_ros.ros.face_states import face_states


@pytest.fixture(scope="module")
def face():
    return make_face(open_face_model("open"), "f3", jawOpen=0.4)


@pytest.fixture
def message(face):
    header = Header(frame_id="camera_optical_frame")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    return face_array([face], CAMERA, "open", header)


def test_a_face_comes_back_from_its_message_as_it_went_in(face, message):
    (seen,), sent = face_states(message), face_state(face, 12_000_000_034, "open")
    assert (seen.id, seen.stamp_ns, seen.model) == ("f3", 12_000_000_034, "open")
    assert seen.blendshapes.names == sent.blendshapes.names
    np.testing.assert_allclose(seen.pose.rotation, sent.pose.rotation, atol=1e-6)
    np.testing.assert_allclose(seen.pose.position, sent.pose.position, atol=1e-6)
    for name in ("shape", "expression", "landmarks"):
        np.testing.assert_allclose(getattr(seen, name), getattr(sent, name), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(seen.blendshapes.values, sent.blendshapes.values, rtol=1e-6)
    assert seen.readouts.mouth_open == sent.readouts.mouth_open


def test_a_message_without_faces_has_no_states(message):
    message.faces = []
    assert face_states(message) == ()


@pytest.mark.parametrize("x", [float("nan"), float("-inf"), 1e39])
def test_a_pose_that_is_none_is_refused(message, x):
    message.faces[0].pose.pose.position.x = x
    with pytest.raises(ValueError, match="pose of finite numbers was wanted for 'f3'"):
        face_states(message)


def test_a_quaternion_of_zeros_is_refused(message):
    orientation = message.faces[0].pose.pose.orientation
    orientation.x = orientation.y = orientation.z = orientation.w = 0.0
    with pytest.raises(ValueError, match="quaternion"):
        face_states(message)


def test_a_value_without_a_name_is_refused(message):
    message.faces[0].expression.blendshape_names = ["jawOpen"]
    with pytest.raises(ValueError, match="a value for each of 1 blendshapes was wanted, 52 were given"):
        face_states(message)


@pytest.mark.parametrize("count", [9, 3 * 468, 3 * 478 - 1])
def test_landmarks_of_another_number_are_refused(message, count):
    message.faces[0].landmarks = [0.5] * count
    with pytest.raises(ValueError, match=f"478 landmarks of 3 numbers, or none, were wanted for 'f3', {count} numbers"):
        face_states(message)
