"""Patches cut in one pass, against OpenCV's two."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.opencv import assert_as_opencv

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.patches import cut_squares, gray_of, place_squares


def reference(image: NDArray[np.uint8], transforms: FloatArray, side: int) -> NDArray[np.uint8]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = [cv2.warpAffine(image, transform, (2 * side, 2 * side), flags=flags) for transform in transforms]
    return np.array([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in fine], np.uint8)


def maps(seed: int, size: float, count: int = 5) -> FloatArray:
    """Rotated, sheared and mirrored transforms, inside the image and outside."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(count, 2, 2)), rng.uniform(-0.2, 1.2, (count, 2, 1)) * size], axis=2)


@pytest.mark.parametrize("side", [1, 5, 48, 70, 200])
@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (240, 320)])
def test_patches_equal_opencv(shape: tuple[int, int], side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    transforms = maps(side, shape[1])
    assert_as_opencv(cut_squares(image, transforms, side), reference(image, transforms, side))


@pytest.mark.parametrize("seed", range(20))
def test_patches_within_the_image_equal_opencv(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (300, 301), np.uint8)
    transforms = maps(seed, 300.0)
    transforms[:, :, 2] = 150 - 47.5 * transforms[:, :, :2].sum(axis=2) * (seed % 2)
    assert_as_opencv(cut_squares(image, transforms, 48), reference(image, transforms, 48))


def test_a_view_of_an_image_gives_the_patches_of_its_copy() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 120), np.uint8)
    part, transforms = image[10:90:2, 20:110], maps(0, 60.0)
    np.testing.assert_array_equal(cut_squares(part, transforms, 8), cut_squares(part.copy(), transforms, 8))


@pytest.mark.parametrize("far", [1e5, -1e5, 1e9, 1e300])
def test_a_patch_far_outside_the_image_is_black(far: float) -> None:
    transform = np.array([[[1.0, 0.0, far], [0.0, 1.0, 0.0]]])
    assert not cut_squares(np.full((50, 50), 200, np.uint8), transform, 10).any()


def test_no_transforms_give_an_empty_result() -> None:
    assert cut_squares(np.zeros((3, 3), np.uint8), np.zeros((0, 2, 3)), 4).shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("image", "transforms", "side", "words"),
    [
        (np.zeros((3, 3, 3), np.uint8), np.zeros((1, 2, 3)), 4, "gray uint8 image"),
        (np.zeros((3, 3), np.float32), np.zeros((1, 2, 3)), 4, "gray uint8 image"),
        (np.zeros((0, 3), np.uint8), np.zeros((1, 2, 3)), 4, "gray uint8 image"),
        (np.zeros((3, 3), np.uint8), np.zeros((2, 3)), 4, "transforms"),
        (np.zeros((3, 3), np.uint8), np.full((1, 2, 3), np.nan), 4, "transforms"),
        (np.zeros((3, 3), np.uint8), np.zeros((1, 2, 3)), 0, "side"),
    ],
)
def test_invalid_input_is_rejected(image: NDArray, transforms: FloatArray, side: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cut_squares(image, transforms, side)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 8), (5, 10), (3, 16), (40, 300), (31, 257)])
def test_gray_equals_opencv_to_the_bit(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    np.testing.assert_array_equal(gray_of(image), cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).reshape(shape))


def test_gray_keeps_gray_levels_and_accepts_views() -> None:
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert gray_of(levels)[:, 0].tolist() == list(range(256))
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    for part in (image[10:80, 3:60], image[::-3], image[:, ::2], image[:, :, ::-1]):
        np.testing.assert_array_equal(gray_of(part), gray_of(part.copy()))


@pytest.mark.parametrize("image", [np.zeros((3, 3), np.uint8), np.zeros((0, 3, 3), np.uint8), np.zeros((3, 3, 3))])
def test_an_image_without_three_channels_is_rejected(image: NDArray) -> None:
    with pytest.raises(ValueError, match="expected a uint8 image"):
        gray_of(image)


@pytest.mark.parametrize("side", [1, 96])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_are_placed_along_the_axes(side: int, dtype: type) -> None:
    rng = np.random.default_rng(0)
    points, pairs = rng.normal(size=(9, 3)).astype(dtype) * 100, rng.integers(0, 9, (5, 2))
    offsets, down = rng.normal(size=(5, 2)), rng.uniform(0.1, 2, 5)
    across, rotation = down * [1, -1, 1, 1, -1], np.array([[0.1, -0.3, 0.0], [-0.2, 1.1, 0.0], [0.0, 0.0, 1.0]])
    maps, bounds = place_squares(points, pairs, offsets, across, down, rotation, 2.0, 0.4, side)
    right, up = 2.0 * np.array([0.1, 0.2]) * 0.4 / math.hypot(0.1, 0.2), 2.0 * np.array([-0.3, -1.1])
    a, d = across[:, None] * right, -down[:, None] * up
    start = points[pairs, :2].mean(axis=1) + offsets @ np.array([right, up]) - (side - 1) / 2 * (a + d)
    np.testing.assert_allclose(maps, np.stack([a, d, start], axis=2), atol=1e-4 if dtype is np.float32 else 1e-12)
    corners = np.concatenate([maps @ [i, j, 1.0] for i in (0, side - 1) for j in (0, side - 1)])
    expected = (corners[:, 0].min(), corners[:, 0].max(), corners[:, 1].min(), corners[:, 1].max())
    assert bounds == pytest.approx(expected)


def test_squares_of_a_part_are_those_of_the_whole_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    transforms = np.array([[[0.4, 0.1, 22.0], [-0.1, 0.4, 30.0]]])
    whole = cut_squares(image, transforms, 10)
    np.testing.assert_array_equal(cut_squares(image[20:, 12:], transforms, 10, (12, 20)), whole)
    to_doubled = transforms * 2 + [0.0, 0.0, 0.5]
    np.testing.assert_array_equal(cut_squares(image[20:, 12:], to_doubled, 10, (24, 40), 2), whole)


def test_squares_without_places_are_rejected() -> None:
    pairs, nothing, points = np.zeros((0, 2), np.intp), np.zeros(0), np.zeros((4, 3))
    with pytest.raises(ValueError, match="expected pairs and offsets"):
        place_squares(points, pairs, np.zeros((0, 2)), nothing, nothing, np.eye(3), 1.0, 0.4, 8)
    with pytest.raises(ValueError, match="expected pairs and offsets"):
        place_squares(points, pairs, np.zeros((3, 2)), np.ones(3), np.ones(3), np.eye(3), 1.0, 0.4, 8)
    with pytest.raises(ValueError, match="expected points"):
        place_squares(points[0], np.zeros((1, 2), np.intp), np.zeros((1, 2)), np.ones(1), np.ones(1), np.eye(3), 1.0,
                      0.4, 8)  # fmt: skip
