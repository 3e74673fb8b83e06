"""Regions of a color image, against OpenCV and NumPy."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.opencv import assert_as_opencv

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.regions import (
    cut_region,
    points_in_image,
    region_around,
    region_transform,
    warp_affine,
)


def reference(image: NDArray[np.uint8], transform: FloatArray, side: int) -> NDArray[np.float32]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(image, transform, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown[:, :, ::-1] * np.float32(1 / 255), np.float32)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height + width).integers(0, 256, (height, width, 3), np.uint8)


def transform_at(rng: np.random.Generator, size: float) -> FloatArray:
    """A rotated, sheared or mirrored transform, inside the image or outside."""
    return np.column_stack([rng.normal(size=(2, 2)), rng.uniform(-0.2, 1.2, 2) * size])


@pytest.mark.parametrize("side", [1, 2, 5, 48, 192])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (240, 320)])
@pytest.mark.parametrize("seed", range(4))
def test_regions_equal_opencv(shape: tuple[int, int], side: int, seed: int) -> None:
    transform = transform_at(np.random.default_rng(seed), max(shape))
    image = noise(*shape)
    assert_as_opencv(cut_region(image, transform, side), reference(image, transform, side), white=1.0)


@pytest.mark.parametrize("degrees", range(-180, 180, 15))
def test_rotated_regions_equal_opencv_inside_and_at_the_edge(degrees: int) -> None:
    image = noise(300, 400)
    for scale, middle in ((0.9, (200.0, 150.0)), (2.3, (30.0, 290.0))):
        turn = cv2.getRotationMatrix2D((96.0, 96.0), degrees, scale)
        turn[:, 2] += np.array(middle) - 96.0
        assert_as_opencv(cut_region(image, turn, 192), reference(image, turn, 192), white=1.0)


def warped(image: NDArray[np.uint8], transform: FloatArray, size: tuple[int, int], *, black: bool) -> NDArray[np.uint8]:
    border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, transform, size, flags=flags, borderMode=border)[:, :, ::-1], np.uint8)


@pytest.mark.parametrize("black", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2), (128, 128), (333, 70)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (240, 320)])
@pytest.mark.parametrize("seed", range(4))
def test_warps_equal_opencv(shape: tuple[int, int], size: tuple[int, int], black: bool, seed: int) -> None:
    transform, image = transform_at(np.random.default_rng(seed), max(shape)), noise(*shape)
    expected = warped(image, transform, size, black=black)
    assert_as_opencv(warp_affine(image, transform, size, black=black), expected)


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (640, 480), (90, 128), (100, 100), (3, 900)])
@pytest.mark.parametrize("side", [128, 192])
def test_a_letterbox_equals_opencv(shape: tuple[int, int], side: int) -> None:
    image, (height, width) = noise(*shape), shape
    scale = max(shape) / side
    transform = np.array([[scale, 0, (width - max(shape)) / 2], [0, scale, (height - max(shape)) / 2]])
    expected = warped(image, transform, (side, side), black=True)
    assert_as_opencv(warp_affine(image, transform, (side, side), black=True), expected)


def test_a_warp_reverses_the_channels_and_keeps_the_pixels() -> None:
    image = noise(20, 30)
    np.testing.assert_array_equal(warp_affine(image, np.eye(2, 3), (30, 20)), image[:, :, ::-1])
    np.testing.assert_array_equal(warp_affine(image, np.eye(2, 3), (40, 20), black=True)[:, 30:], 0)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (-1, 4)])
def test_a_warp_without_pixels_is_rejected(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size: expected at least one pixel"):
        warp_affine(noise(4, 4), np.eye(2, 3), size)


def test_a_view_of_an_image_gives_the_region_of_its_copy() -> None:
    image, transform = noise(100, 120), transform_at(np.random.default_rng(0), 40.0)
    for part in (image[10:90, 20:110], image[::-2, ::3], image[:, :, ::-1]):
        np.testing.assert_array_equal(cut_region(part, transform, 30), cut_region(part.copy(), transform, 30))


def test_a_read_only_image_is_accepted() -> None:
    image = noise(20, 20)
    image.flags.writeable = False
    np.testing.assert_array_equal(cut_region(image, np.eye(2, 3), 20), image[:, :, ::-1] * np.float32(1 / 255))


@pytest.mark.parametrize("far", [1e5, -1e5, 1e9, -1e300])
def test_a_region_far_outside_repeats_the_nearest_edge(far: float) -> None:
    image = noise(50, 60)
    transform = np.array([[1.0, 0.0, far], [0.0, 1.0, 0.0]])
    edge = image[:40, 0 if far < 0 else -1, ::-1] * np.float32(1 / 255)
    np.testing.assert_array_equal(cut_region(image, transform, 40), np.repeat(edge[:, None], 40, axis=1))


@pytest.mark.parametrize(
    ("image", "transform", "side", "words"),
    [
        (np.zeros((3, 3), np.uint8), np.zeros((2, 3)), 4, "expected a uint8 image"),
        (np.zeros((3, 3, 4), np.uint8), np.zeros((2, 3)), 4, "expected a uint8 image"),
        (np.zeros((3, 3, 3), np.float32), np.zeros((2, 3)), 4, "expected a uint8 image"),
        (np.zeros((0, 3, 3), np.uint8), np.zeros((2, 3)), 4, "expected a uint8 image"),
        (np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3)), 4, "map"),
        (np.zeros((3, 3, 3), np.uint8), np.full((2, 3), np.nan), 4, "map"),
        (np.zeros((3, 3, 3), np.uint8), np.zeros((2, 3)), 0, "side"),
    ],
)
def test_invalid_input_is_rejected(image: NDArray, transform: FloatArray, side: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cut_region(image, transform, side)


def test_the_middle_of_a_region_stays_in_its_place() -> None:
    region = (120.0, 80.0, 60.0, 0.3)
    transform = region_transform(region, 30)
    np.testing.assert_allclose(transform @ [15.0, 15.0, 1.0], (120.5, 80.5))
    right = 2.0 * np.array([math.cos(0.3), math.sin(0.3)])
    np.testing.assert_allclose(transform[:, :2], np.column_stack([right, [-right[1], right[0]]]))


def test_points_of_a_region_are_those_of_its_transform() -> None:
    rng = np.random.default_rng(0)
    points, region = rng.uniform(size=(20, 3)).astype(np.float32), (120.0, 80.0, 60.0, -2.0)
    found = points_in_image(points, region)
    expected = np.column_stack([points[:, :2] * 30, np.ones(20)]) @ region_transform(region, 30).T - 0.5
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-4)
    np.testing.assert_allclose(found[:, 2], 60.0 * points[:, 2], atol=1e-4)
    assert points_in_image(points[:0], region).shape == (0, 3)
    with pytest.raises(ValueError, match=r"expected points \(n, 3\)"):
        points_in_image(points[:, :2], region)


def test_a_region_surrounds_points_and_turns_with_the_eyes() -> None:
    points = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    (left, top), (right, bottom) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    across, down = points[7, :2] - points[2, :2]
    side = 1.5 * max(right - left, bottom - top)
    expected = (left + right) / 2, (top + bottom) / 2, side, math.atan2(down, across)
    assert region_around(points, (2, 7), 1.5) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="expected points"):
        region_around(points, (2, 9), 1.5)


@pytest.mark.parametrize("row", [0, 4])
def test_the_region_around_nan_is_nan(row: int) -> None:
    points = np.ones((5, 3), np.float32)
    points[row, 1] = np.nan
    assert np.isnan(region_around(points, (1, 2), 1.5)[2])
