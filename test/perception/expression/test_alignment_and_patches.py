"""The inputs of the expression head: landmarks in face coordinates, and patches cut there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import FEATURES, RIGID_POINTS, align, features
from face_expr_ros.perception.expression.patches import PARTS, SIDE, cut_patches

UP_AND_NEAR = np.array([1.0, -1.0, -1.0])  # FaceMesh's y points down and its z away


@pytest.fixture(scope="module")
def canonical() -> FloatArray:
    model = open_face_model("open")
    return model.facemesh_points(model.mean).astype(np.float64)


def seen(
    points: FloatArray, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, scale: float = 900.0
) -> FloatArray:
    """The points (478, 3) as FaceMesh gives them for a head rotated by angles in degrees, in an image of 320 x 240."""
    rotation = UP_AND_NEAR[:, None] * rotation_from_euler(*np.radians([yaw, pitch, roll]))
    return 900.0 * (points @ rotation.T) * UP_AND_NEAR + np.array([160.0, 100.0, 0.0])


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (40, 0, 0), (-30, 15, 0), (0, -20, 35), (60, 20, -90)])
def test_alignment_removes_the_rotation_of_the_head(
    canonical: FloatArray, yaw: float, pitch: float, roll: float
) -> None:
    alignment = align(seen(canonical, yaw, pitch, roll), canonical)
    np.testing.assert_allclose(alignment.points, canonical, atol=1e-9)  # meters
    assert alignment.scale == pytest.approx(900.0)  # pixels per meter


@pytest.mark.parametrize("shift", [(0.0, 0.0), (100.0, -30.5), (1e4, 1e4)])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_features_are_invariant_to_position_and_scale(
    canonical: FloatArray, shift: tuple[float, float], scale: float
) -> None:
    noise = np.random.default_rng(0).normal(0, 2.0, (478, 3))
    points = seen(canonical, yaw=20) + noise
    expected = features(align(points, canonical), canonical)
    moved = points * scale + np.array([*shift, 0.0])
    given = features(align(moved, canonical), canonical)
    np.testing.assert_allclose(given, expected, atol=1e-8)  # centimeters
    assert given.shape == (FEATURES,)


def test_features_are_displacements_in_centimeters(canonical: FloatArray) -> None:
    lowered = canonical.copy()
    lowered[17] -= [0.0, 0.01, 0.0]  # the lower lip's middle
    given = features(align(seen(lowered, yaw=30), canonical), canonical).reshape(-1, 3)
    np.testing.assert_allclose(given[17], [0.0, -1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(np.delete(given[:-1], 17, axis=0), 0.0, atol=1e-9)


def test_the_last_features_are_the_direction_to_the_viewer(canonical: FloatArray) -> None:
    given = features(align(seen(canonical, yaw=90), canonical), canonical)
    np.testing.assert_allclose(given[-3:], [1.0, 0.0, 0.0], atol=1e-9)  # nose to image left: the left side is near


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.full((478, 3), np.nan), "finite"),
        (np.where(np.arange(478)[:, None] == 7, np.inf, 1.0) * np.ones(3), "finite"),
        (np.ones((478, 3)), "in one place"),
    ],
)
def test_invalid_points_are_rejected(canonical: FloatArray, points: FloatArray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        align(points, canonical)


def test_steady_points_are_symmetric(canonical: FloatArray) -> None:
    assert abs(canonical[RIGID_POINTS, 0].mean()) < 1e-3  # meters
    assert len(set(RIGID_POINTS.tolist())) == len(RIGID_POINTS)


def picture() -> NDArray[np.uint8]:
    """Smooth blobs, so that a hundredth of a pixel does not matter."""
    noise = np.random.default_rng(1).uniform(0, 255, (240, 320)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def cut(image: NDArray[np.uint8], points: FloatArray, canonical: FloatArray, margin: int = 0) -> NDArray[np.uint8]:
    return cut_patches(image, points, align(points, canonical), margin)


def test_patches_move_with_the_face(canonical: FloatArray) -> None:
    image, points = picture(), seen(canonical)
    expected = cut(image, points, canonical)
    moved = np.roll(image, (13, -21), axis=(0, 1))
    np.testing.assert_array_equal(cut(moved, points + np.array([-21.0, 13.0, 0.0]), canonical), expected)
    assert expected.shape == (len(PARTS), SIDE, SIDE)


def test_patches_are_invariant_to_the_image_size(canonical: FloatArray) -> None:
    image, points = picture(), seen(canonical)
    twice = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    doubled = points * 2 + np.array([0.5, 0.5, 0.0])  # the first pixel's center is the middle of four
    difference = cut(twice, doubled, canonical).astype(int) - cut(image, points, canonical)
    assert np.abs(difference).max() <= 1  # gray level


def test_patches_are_invariant_to_in_plane_rotation(canonical: FloatArray) -> None:
    image, points = picture(), seen(canonical)
    turn = cv2.getRotationMatrix2D((160.0, 100.0), -30, 1.0)  # clockwise in the image
    turned = cv2.warpAffine(image, turn, (320, 240), flags=cv2.INTER_CUBIC)
    difference = cut(turned, seen(canonical, roll=30), canonical).astype(int) - cut(image, points, canonical)
    assert np.abs(difference[:3]).max() <= 6  # gray levels; eyes and mouth are within both pictures


def test_the_eye_patches_of_a_symmetric_picture_are_equal(canonical: FloatArray) -> None:
    alike = np.concatenate([picture()[:, :160], picture()[:, :160][:, ::-1]], axis=1)
    points = seen((canonical + canonical[_twins()] * np.array([-1.0, 1.0, 1.0])) / 2) - np.array([0.5, 0.0, 0.0])
    right, left = cut(alike, points, canonical)[:2].astype(int)
    assert np.abs(right - left).max() <= 6  # gray levels: the canonical face itself is not quite symmetric


def _twins() -> NDArray[np.int64]:
    """The mirrored order for the corners of the eyes only: 33 and 133 with 263 and 362."""
    order = np.arange(478)
    order[[33, 263, 133, 362]] = [263, 33, 362, 133]
    return order


def test_a_margin_extends_the_patches(canonical: FloatArray) -> None:
    image, points = picture(), seen(canonical)
    wide = cut(image, points, canonical, margin=4)
    difference = wide[:, 4:-4, 4:-4].astype(int) - cut(image, points, canonical)
    assert np.abs(difference).max() <= 1  # gray level


def test_color_images_are_converted_to_gray(canonical: FloatArray) -> None:
    image, points = picture(), seen(canonical)
    colored = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    np.testing.assert_array_equal(cut(colored, points, canonical), cut(image, points, canonical))


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (240, 320, 3)])
def test_patches_outside_the_image_are_black(canonical: FloatArray, shape: tuple[int, ...]) -> None:
    image = np.full(shape, 200, np.uint8)
    points = seen(canonical) + np.array([5000.0, 0.0, 0.0])
    assert not cut(image, points, canonical).any()
