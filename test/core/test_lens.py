"""Lens models against OpenCV, and their inverses at wide angles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from face_expr_ros.core.geometry import (
    poses_from_weak_perspectives,
    project,
    rotation_from_euler,
    undistort,
    weak_perspective,
)
from face_expr_ros.core.types import Camera, Pose

MATRIX = np.array([[300.0, 0.0, 319.5], [0.0, 310.0, 239.5], [0.0, 0.0, 1.0]])
FISHEYES = {"ideal": [0.0, 0.0, 0.0, 0.0], "calibrated": [-0.02, 0.01, -0.004, 0.0008]}
WIDE = np.array([0.9096, 0.1618, 0.0, 0.0, 0.0029, 1.2429, 0.3763, 0.0218])  # as an equidistant lens, up to 65 degrees
NARROW = np.array([0.55, -2.72, 0.0004, -0.0003, 1.57, 0.43, -2.55, 1.5])  # the shape of an Azure Kinect's


def fisheye(name: str) -> Camera:
    return Camera(640, 480, MATRIX, np.array(FISHEYES[name]), metric=True, lens="fisheye")


def random_points(count: int = 500) -> np.ndarray:
    points = np.random.default_rng(0).normal(0, 0.6, (count, 3)) + np.array([0, 0, 1.2])
    return np.concatenate([points[points[:, 2] > 0.15], [[0.0, 0.0, 0.7]]])


@pytest.mark.parametrize("name", FISHEYES)
def test_projection_by_a_fisheye_equals_opencvs(name: str) -> None:
    points, camera = random_points(), fisheye(name)
    flat = np.zeros(3)
    expected = cv2.fisheye.projectPoints(points[:, None], flat, flat, MATRIX, camera.distortion)[0][:, 0]
    np.testing.assert_allclose(project(points, camera), expected, atol=1e-9)


@pytest.mark.parametrize("name", FISHEYES)
def test_undistortion_undoes_a_fisheye_up_to_its_edge(name: str) -> None:
    points, camera = random_points(), fisheye(name)
    directions = points[:, :2] / points[:, 2:]
    assert np.degrees(np.arctan(np.hypot(*directions.T))).max() > 80
    np.testing.assert_allclose(undistort(project(points, camera), camera), directions, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FISHEYES)
def test_directions_outside_the_field_of_a_fisheye_are_finite(name: str) -> None:
    directions = undistort(np.array([[1e6, 0.0], [-1e6, -1e6]]), fisheye(name))
    assert np.isfinite(directions).all()
    assert np.abs(directions).max() < 30  # 88 degrees


@pytest.mark.parametrize("coefficients", [WIDE, NARROW], ids=["wide", "narrow"])
def test_rational_polynomial_undistortion_converges_everywhere(coefficients: np.ndarray) -> None:
    matrix = np.array([[600.0, 0.0, 640.0], [0.0, 600.0, 360.0], [0.0, 0.0, 1.0]])
    camera = Camera(1280, 720, matrix, coefficients, metric=True)
    pixels = np.stack(np.meshgrid(np.linspace(0, 1279, 20), np.linspace(0, 719, 20)), axis=-1).reshape(-1, 2)
    directions = undistort(pixels, camera)
    np.testing.assert_allclose(project(np.column_stack([directions, np.ones(400)]), camera), pixels, atol=1e-6)


@pytest.mark.parametrize("camera", [fisheye("calibrated"), Camera(1280, 720, MATRIX, WIDE, metric=True)])
def test_the_weak_perspective_has_the_scale_of_the_lens_at_the_face(camera: Camera) -> None:
    pose = Pose(rotation_from_euler(0.1, 0.0, 0.0), np.array([0.6, 0.2, 0.6]), metric=True)  # 46 degrees off the axis
    matrix = weak_perspective(pose, camera)
    across = np.cross(pose.position, [0.0, 0.0, 1.0])  # tangential, where a lens changes the scale least
    step = 1e-4 * across / np.linalg.norm(across)
    moved = project(np.array([pose.position, pose.position + step]), camera)
    assert np.linalg.norm(matrix[0, :3]) == pytest.approx(np.linalg.norm(moved[1] - moved[0]) / 1e-4, rel=0.03)
    (back,) = poses_from_weak_perspectives(matrix[None], camera)
    np.testing.assert_allclose(back.position, pose.position, atol=1e-6)
