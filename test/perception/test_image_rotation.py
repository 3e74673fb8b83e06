"""Cameras that are mounted sideways or upside down: results in the original image, equal to those of an upright one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import bounding_box, pinhole_camera, project, to_camera, weak_perspective_pixels
from face_expr_ros.core.settings import ConfigError, from_mapping
from face_expr_ros.core.types import Camera, Face, Frame
from face_expr_ros.perception.image_rotation import ImageRotation
from face_expr_ros.perception.pipeline import Pipeline

MATRIX = np.array([[600.0, 0.0, 300.0], [0.0, 610.0, 250.0], [0.0, 0.0, 1.0]])
UPRIGHT = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}  # undoes the mounting
LENSES = {
    "none": [],
    "plumb_bob": [-0.2, 0.05, 0.002, -0.003, 0.01],
    "thin prism": [-0.2, 0.05, 0.002, -0.003, 0.01, 0.02, 0.01, 0.005, 0.003, -0.002, 0.004, 0.001],
    "fisheye": [0.05, -0.01, 0.002, 0.0],
}


def lens(name: str) -> Camera:
    model = "fisheye" if name == "fisheye" else "pinhole"
    return Camera(640, 480, MATRIX, np.array(LENSES[name]), metric=True, lens=model)


def rotated_points(points: NDArray[np.floating], degrees: int) -> NDArray[np.floating]:
    """Points of the camera frame in the frame of the camera that took the rotated image."""
    turn = np.eye(3)
    turn[:2, :2] = np.round([[np.cos(a := np.radians(degrees)), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return points @ turn.T


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("name", LENSES)
def test_the_rotated_camera_projects_to_the_pixels_of_the_rotated_image(name: str, degrees: int) -> None:
    camera = lens(name)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (20, 3)) + np.array([0.0, 0.0, 1.0])
    pixels = project(points, camera)
    turned = ImageRotation(degrees).frame(Frame(np.zeros((480, 640, 3), np.uint8), 0, "c", camera))
    found = project(rotated_points(points, degrees), turned.camera)
    x, y = pixels.T
    expected = {0: (x, y), 90: (479 - y, x), 180: (639 - x, 479 - y), 270: (y, 639 - x)}[degrees]
    np.testing.assert_allclose(found, np.column_stack(expected), atol=1e-9)
    assert turned.image.shape[:2] == (turned.camera.height, turned.camera.width)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_results_refer_to_the_original_image(portrait: NDArray[np.uint8], degrees: int) -> None:
    upright = pinhole_camera(640, 480, 45.0)
    mounted = np.ascontiguousarray(cv2.rotate(portrait, UPRIGHT[degrees]))
    camera = pinhole_camera(mounted.shape[1], mounted.shape[0], 45.0)
    camera = Camera(camera.width, camera.height, camera.matrix, camera.distortion, True)
    camera.matrix[[0, 1], [0, 1]] = upright.matrix[0, 0]
    expected = found_in(portrait, upright, 0)
    found = found_in(mounted, camera, degrees)
    np.testing.assert_allclose(found.blendshapes.values, expected.blendshapes.values, atol=1e-6)
    turned = rotated_points(found.fit.pose.position[None], degrees)[0]
    np.testing.assert_allclose(turned, expected.fit.pose.position, atol=1e-9)
    assert_consistent(found, camera)
    brow, chin = found.fit.landmarks68[27, :2], found.fit.landmarks68[8, :2]
    down = {90: (1.0, 0.0), 180: (0.0, -1.0), 270: (-1.0, 0.0)}[degrees]  # of the face, in the original image
    np.testing.assert_allclose((chin - brow) / np.linalg.norm(chin - brow), down, atol=0.1)


def found_in(image: NDArray[np.uint8], camera: Camera, degrees: int) -> Face:
    pipeline = Pipeline(PerceptionConfig(image_rotation=degrees))
    (face,) = pipeline.still(Frame(image, 0, "c", camera))
    pipeline.close()
    return face


def assert_consistent(face: Face, camera: Camera) -> None:
    """Landmarks, box, pose and weak perspective of a face describe the same place in the image."""
    assert face.landmarks is not None
    box = bounding_box(face.landmarks.points)
    assert (face.roi.x, face.roi.y, face.roi.width, face.roi.height) == pytest.approx(
        (box.x, box.y, box.width, box.height), abs=0.01
    )
    sellion = project(to_camera(np.zeros((1, 3)), face.fit.pose), camera)[0]
    (weak,) = weak_perspective_pixels(face.fit.weak_perspective, np.zeros((1, 3)), camera.height)
    np.testing.assert_allclose(weak[:2], sellion, atol=1e-6)
    assert np.linalg.norm(face.fit.landmarks68[27, :2] - sellion) < 12  # pixels; the top of the nose


def test_other_angles_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"image_rotation: expected one of 0, 90, 180, 270 \(degrees\), got 45"):
        from_mapping(PerceptionConfig, {"image_rotation": 45})
