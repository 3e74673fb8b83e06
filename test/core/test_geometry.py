"""Angles, cameras and projections against values computed by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from face_expr_ros.core import geometry
from face_expr_ros.core.types import Camera, Pose, Roi

ANGLE = st.floats(-1.4, 1.4)
NOSE_TIP = np.array([[0.0, 0.0, 0.1]])  # out of the face
DISTORTED = Camera(
    640, 480, geometry.pinhole_camera(640, 480, 50.0).matrix, np.array([-0.1, 0.02, 0.001, -0.001]), True
)
CROWN = np.array([[0.0, 0.1, 0.0]])


@pytest.fixture
def camera() -> Camera:
    return geometry.pinhole_camera(640, 480, field_of_view=50.0)


def rotated_pose(
    yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, position: tuple[float, ...] = (0, 0, 1)
) -> Pose:
    return Pose(geometry.rotation_from_euler(yaw, pitch, roll), np.array(position, dtype=float), metric=True)


@given(yaw=ANGLE, pitch=ANGLE, roll=ANGLE)
def test_euler_angles_survive_conversion_to_a_rotation_and_back(yaw: float, pitch: float, roll: float) -> None:
    rotation = geometry.rotation_from_euler(yaw, pitch, roll)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert geometry.euler_angles(rotation) == pytest.approx((yaw, pitch, roll), abs=1e-9)


def test_a_face_towards_the_camera_has_zero_angles() -> None:
    assert geometry.euler_angles(geometry.FACING_CAMERA) == pytest.approx((0.0, 0.0, 0.0))


def test_positive_yaw_turns_the_nose_to_image_left(camera: Camera) -> None:
    nose = geometry.project(geometry.to_camera(NOSE_TIP, rotated_pose(yaw=0.3)), camera)[0]
    assert nose[0] < camera.matrix[0, 2] - 5


def test_positive_pitch_lifts_the_nose(camera: Camera) -> None:
    nose = geometry.project(geometry.to_camera(NOSE_TIP, rotated_pose(pitch=0.3)), camera)[0]
    assert nose[1] < camera.matrix[1, 2] - 5


def test_positive_roll_turns_the_head_clockwise_in_the_image(camera: Camera) -> None:
    crown = geometry.project(geometry.to_camera(CROWN, rotated_pose(roll=0.3)), camera)[0]
    assert crown[0] > camera.matrix[0, 2] + 5


def test_the_face_frame_has_x_out_of_the_face_y_left_and_z_up() -> None:
    axes = Rotation.from_quat(geometry.face_frame_quaternion(geometry.FACING_CAMERA)).as_matrix()
    assert axes[:, 0] == pytest.approx([0, 0, -1])  # x: towards the camera
    assert axes[:, 1] == pytest.approx([1, 0, 0])  # y: the subject's left is image right
    assert axes[:, 2] == pytest.approx([0, -1, 0])  # z: up


@given(yaw=ANGLE, pitch=ANGLE, right=st.floats(-0.6, 0.6), down=st.floats(-0.45, 0.45), z=st.floats(0.3, 3.0))
def test_weak_perspective_approximates_the_camera_at_the_sellion(
    yaw: float, pitch: float, right: float, down: float, z: float
) -> None:
    camera = geometry.pinhole_camera(640, 480, field_of_view=50.0)
    pose = rotated_pose(yaw, pitch, position=(right * z, down * z, z))  # anywhere in the image
    matrix = geometry.weak_perspective(pose, camera)
    near_sellion = np.array([0.0005, 0.0004, 0.001])
    u, v, _ = matrix[:, :3] @ near_sellion + matrix[:, 3]
    true = geometry.project(geometry.to_camera(near_sellion[None], pose), camera)[0]
    # Pixels; the point is up to 2 pixels from the sellion, and the image's corner stretches that by 0.43 at most.
    assert (u - 1, camera.height - v) == pytest.approx(true, abs=0.5)


@given(yaw=ANGLE, pitch=ANGLE, right=st.floats(-0.6, 0.6), down=st.floats(-0.45, 0.45), z=st.floats(0.3, 3.0))
def test_a_pose_survives_conversion_to_weak_perspective_and_back(
    yaw: float, pitch: float, right: float, down: float, z: float
) -> None:
    camera = Camera(640, 480, DISTORTED.matrix, DISTORTED.distortion, metric=True)
    pose = rotated_pose(yaw, pitch, position=(right * z, down * z, z))
    (found,) = geometry.poses_from_weak_perspectives(geometry.weak_perspective(pose, camera)[None], camera)
    assert found.rotation == pytest.approx(pose.rotation, abs=1e-3)  # OpenCV's undistortion is iterative
    assert found.position == pytest.approx(pose.position, abs=1e-3 * z)


@given(x=st.floats(-2, 2), y=st.floats(-2, 2), z=st.floats(0.01, 3.0))
def test_rotation_to_axis_has_the_smallest_angle(x: float, y: float, z: float) -> None:
    direction = np.array([x, y, z])
    rotation = geometry.rotation_to_axis(direction)
    assert rotation @ direction == pytest.approx([0.0, 0.0, np.linalg.norm(direction)], abs=1e-9)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.norm(Rotation.from_matrix(rotation).as_rotvec()) == pytest.approx(
        math.atan2(math.hypot(x, y), z), abs=1e-6
    )


def test_the_nearest_rotation_has_determinant_1() -> None:
    rotation = geometry.rotation_from_euler(0.5, -0.3, 0.2)
    assert geometry.nearest_rotation(3e-4 * rotation) == pytest.approx(rotation)
    assert np.linalg.det(geometry.nearest_rotation(np.diag([1.0, 1.0, -0.1]))) == pytest.approx(1.0)


def test_weak_perspective_depth_is_0_at_the_sellion(camera: Camera) -> None:
    pose = rotated_pose(0.2, 0.1, position=(0.1, -0.05, 0.8))
    matrix = geometry.weak_perspective(pose, camera)
    sellion, nose = geometry.weak_perspective_pixels(matrix, np.array([[0.0, 0.0, 0.0], [0.0, -0.02, 0.03]]), 480)
    assert sellion == pytest.approx([*geometry.project(pose.position[None], camera)[0], 0.0])
    assert nose[2] < -10.0  # pixels


def test_the_crop_from_landmarks_equals_that_of_3ddfa_v2() -> None:
    points = np.array([[10.0, 20.0], [110.0, 20.0], [60.0, 80.0]])
    side = 100.0 * math.sqrt(2)
    assert geometry.crop_from_landmarks(points) == Roi(60.0 - side / 2, 50.0 - side / 2, side, side)


def test_the_crop_from_a_box_equals_that_of_3ddfa_v2() -> None:
    assert geometry.crop_from_box(Roi(100.0, 50.0, 80.0, 100.0)) == Roi(140.0 - 71.0, 112.6 - 71.0, 142.0, 142.0)


def test_undistortion_inverts_the_projection() -> None:
    matrix = geometry.pinhole_camera(640, 480, field_of_view=50.0).matrix
    camera = Camera(640, 480, matrix, np.array([-0.2, 0.05, 0.001, -0.001]), metric=True)
    points = np.array([[0.1, -0.05, 0.9], [0.0, 0.2, 1.0], [-0.15, 0.1, 0.8]])
    directions = geometry.undistort(geometry.project(points, camera), camera)
    assert directions == pytest.approx(points[:, :2] / points[:, 2:], abs=1e-5)


def test_the_default_camera_has_the_given_field_of_view() -> None:
    camera = geometry.default_camera(640, 480, field_of_view=63.0)
    top = geometry.undistort(np.array([[319.5, -0.5]]), camera)[0, 1]
    assert math.degrees(2 * math.atan(-top)) == pytest.approx(63.0)
    assert not camera.metric


def test_projection_matches_opencv(camera: Camera) -> None:
    points = np.random.default_rng(0).normal(0, 0.05, (20, 3))
    pose = rotated_pose(0.2, -0.1, 0.05)
    expected = cv2.projectPoints(points, cv2.Rodrigues(pose.rotation)[0], pose.position, camera.matrix, None)[0][:, 0]
    assert geometry.project(geometry.to_camera(points, pose), camera) == pytest.approx(expected)
