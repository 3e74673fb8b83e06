"""Rotations, cameras and projections: pure functions of arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.lens import is_distorted, magnification, project_lens, undistort_lens
from face_expr_ros.core.rotations import about_axis, quaternion_from_rotation
from face_expr_ros.core.types import Camera, FloatArray, Pose, Roi
from face_expr_ros.kernels.boxes import bounds

# Model axes (x to the subject's left, y up, z out of the face) of a face that looks straight into the camera,
# in the optical frame (x right, y down, z forward).
FACING_CAMERA: FloatArray = np.diag([1.0, -1.0, -1.0])

# Columns are the axes of REP-155's face frame (x out of the face, y to the subject's left, z up) in model axes.
FACE_FRAME: FloatArray = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def default_camera(width: int, height: int, field_of_view: float) -> Camera:
    """A camera without distortion for an image without CameraInfo; its ``metric`` is False.

    Args:
        width, height: size of the image in pixels.
        field_of_view: vertical, in degrees.
    """
    return pinhole_camera(width, height, field_of_view, metric=False)


def pinhole_camera(width: int, height: int, field_of_view: float, *, metric: bool = True) -> Camera:
    """A camera without distortion, centered on the image; ``field_of_view`` is vertical, in degrees."""
    focal = 0.5 * height / math.tan(math.radians(field_of_view) / 2)
    matrix = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return Camera(width, height, matrix, np.zeros(0), metric)


def scaled_intrinsics(matrix: FloatArray, scale: FloatArray) -> FloatArray:
    """The intrinsic matrix (3, 3) of images that are resized by ``scale`` (2,) across and down."""
    scaled = matrix * np.append(scale, 1.0)[:, None]
    scaled[:2, 2] += (scale - 1.0) / 2  # the center of the first pixel is 0
    return scaled


def undistort(points: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (n, 2) as directions (n, 2): x/z and y/z in the camera frame, with the lens distortion removed."""
    points = np.asarray(points, dtype=np.float64)
    if is_distorted(camera):
        return undistort_lens(points, camera)
    (x, _, middle_x), (_, y, middle_y), _ = camera.matrix.tolist()
    return points * (1 / x, 1 / y) - (middle_x / x, middle_y / y)


def project(points: FloatArray, camera: Camera) -> FloatArray:
    """Points (n, 3) of the camera frame, meters, as pixels (n, 2)."""
    points = np.asarray(points, dtype=np.float64)
    if is_distorted(camera):
        return project_lens(points, camera)
    (x, _, middle_x), (_, y, middle_y), _ = camera.matrix.tolist()  # faster than OpenCV, which computes derivatives
    return points[:, :2] / points[:, 2:] * (x, y) + (middle_x, middle_y)


def to_camera(points: FloatArray, pose: Pose) -> FloatArray:
    """Points (n, 3) in model axes, in the camera frame."""
    return np.asarray(points, np.float64) @ pose.rotation.T + pose.position


def euler_angles(rotation: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians with AFLW2000-3D's signs.

    With R the rotation seen from an upright viewer (y up, z towards the camera):
    yaw = asin(-R02), pitch = atan2(R12, R22), roll = atan2(R01, R00).
    Yaw > 0 turns the nose to image left, pitch > 0 lifts it, roll > 0 turns the eye line clockwise.

    Args:
        rotation: (3, 3) from model axes to the camera frame.
    """
    r = FACING_CAMERA @ rotation
    yaw = math.asin(min(1.0, max(-1.0, -r[0, 2])))
    return yaw, math.atan2(r[1, 2], r[2, 2]), math.atan2(r[0, 1], r[0, 0])


def rotation_from_euler(yaw: float, pitch: float, roll: float) -> FloatArray:
    """The inverse of :func:`euler_angles`: (3, 3) from model axes to the camera frame; angles in radians."""
    rotation: FloatArray = FACING_CAMERA @ about_axis(0, -pitch) @ about_axis(1, -yaw) @ about_axis(2, -roll)
    return rotation


def face_frame_quaternion(rotation: FloatArray) -> FloatArray:
    """Orientation x, y, z, w of REP-155's face frame in the camera frame."""
    return quaternion_from_rotation(rotation @ FACE_FRAME)


def weak_perspective(pose: Pose, camera: Camera) -> FloatArray:
    """The (3, 4) matrix ``[f R | t]`` of the weak perspective that equals the camera near the sellion.

    TDDFA's convention with the whole image as the crop: a model point v in meters gives x right and y up in pixels
    counted from 1, so that its pixel is (x - 1, height - y); z is towards the camera and zero at the sellion.
    f is in pixels per meter. R is the apparent rotation of the head, relative to the ray to it, as in a crop around the
    face: away from the image center it differs from the pose by the direction of that ray.
    """
    scale = _pixels_per_meter(pose.position, camera)
    u, v = project(pose.position[None], camera)[0]
    translation = np.array([u + 1, camera.height - v, 0.0])
    apparent = rotation_to_axis(pose.position) @ pose.rotation
    return np.column_stack([scale * (FACING_CAMERA @ apparent), translation])


def poses_from_weak_perspectives(matrices: FloatArray, camera: Camera) -> list[Pose]:
    """The poses of weak perspectives (n, 3, 4): the inverse of :func:`weak_perspective`.

    f is the mean length of the first two rows (the third does not affect the image); the rotation is the nearest one to
    all three (Kabsch, 1976), so that a matrix that is not exactly a scaled rotation gives a proper one.
    """
    scales = np.linalg.norm(matrices[:, :2, :3], axis=2).mean(axis=1)
    sellions = np.column_stack([matrices[:, 0, 3] - 1, camera.height - matrices[:, 1, 3]])
    directions = undistort(sellions, camera)
    distances = (camera.matrix[0, 0] + camera.matrix[1, 1]) / 2 * magnification(directions, camera) / scales
    positions = distances[:, None] * np.column_stack([directions, np.ones(len(matrices))])
    apparent = FACING_CAMERA @ nearest_rotation(matrices[:, :, :3])
    rotations = [rotation_to_axis(position).T @ seen for position, seen in zip(positions, apparent, strict=True)]
    return [Pose(*pair, camera.metric) for pair in zip(rotations, positions, strict=True)]


def nearest_rotation(matrix: FloatArray) -> FloatArray:
    """The rotation (..., 3, 3) nearest to a matrix (..., 3, 3) at any scale."""
    left, _, right = np.linalg.svd(matrix)
    left[..., 2] *= np.sign(np.linalg.det(left @ right))[..., None]
    rotation: FloatArray = left @ right
    return rotation


def weak_perspective_pixels(matrix: FloatArray, points: FloatArray, height: int) -> FloatArray:
    """Project points (..., n, 3) in model axes by weak perspectives (..., 3, 4) to an image of ``height`` rows.

    Returns:
        (..., n, 3): x, y in pixels, z in the same scale relative to the sellion, smaller is nearer.
    """
    projected = points @ np.swapaxes(matrix[..., :3], -1, -2) + matrix[..., None, :, 3]
    return np.stack([projected[..., 0] - 1, height - projected[..., 1], -projected[..., 2]], axis=-1)


def pixels_with_depth(points: FloatArray, pose: Pose, camera: Camera) -> FloatArray:
    """Points (n, 3) of the camera frame as pixels with depth (n, 3).

    The depth is relative to the sellion, along the ray to it, in the scale of x and y there; smaller is nearer.
    """
    scale = _pixels_per_meter(pose.position, camera)
    ray = pose.position / np.linalg.norm(pose.position)
    result = np.empty(points.shape)
    result[:, :2] = project(points, camera)
    result[:, 2] = (points - pose.position) @ (ray * scale)
    return result


def _pixels_per_meter(position: FloatArray, camera: Camera) -> float:
    """The scale of the image at a point of the camera frame, across the ray to it."""
    enlarged = magnification(position[None, :2] / position[2], camera)[0]
    return float((camera.matrix[0, 0] + camera.matrix[1, 1]) / 2 * enlarged / position[2])


def rotation_to_axis(direction: FloatArray) -> FloatArray:
    """The smallest rotation (3, 3) from a direction in the camera frame to the optical axis; not for (0, 0, -1)."""
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    slant = 1.0 / (1.0 + z)
    return np.array([[1.0 - slant * x * x, -slant * x * y, -x], [-slant * x * y, 1.0 - slant * y * y, -y], [x, y, z]])


def apparent_rotation(pose: Pose) -> FloatArray:
    """(3, 3) from model axes to a camera that looks along the ray to the face, as FaceMesh's crop does."""
    rotation: FloatArray = rotation_to_axis(pose.position) @ pose.rotation
    return rotation


def crop_from_landmarks(points: FloatArray, rows: NDArray[np.intp] | None = None) -> Roi:
    """3DDFA_V2's crop for a face with these pixels (n, >= 2): a square of sqrt(2) times their box's long side.

    Only some rows are used if they are given.
    """
    return crop_around(bounding_box(points, rows))


def crop_around(box: Roi) -> Roi:
    """`crop_from_landmarks` for the box around the points."""
    side = max(box.width, box.height) * math.sqrt(2)
    return Roi(box.x + (box.width - side) / 2, box.y + (box.height - side) / 2, side, side)


def crop_from_box(box: Roi) -> Roi:
    """3DDFA_V2's square crop for a face detector's box (FaceBoxes': from forehead to chin)."""
    size = (box.width + box.height) / 2
    side = int(1.58 * size)
    center_x, center_y = box.x + box.width / 2, box.y + box.height / 2 + 0.14 * size
    return Roi(center_x - side / 2, center_y - side / 2, side, side)


def bounding_box(points: FloatArray, rows: NDArray[np.intp] | None = None) -> Roi:
    """The box around pixels (n, >= 2), or around some rows of them."""
    left, top, right, bottom = bounds(points, rows)
    return Roi(left, top, right - left, bottom - top)
