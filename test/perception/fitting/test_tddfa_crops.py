"""Crops for the network: their pixels, and crops outside the image or of invalid size."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.tddfa_networks import (
    SIZE,
    bundle_with_output,
    fit_of,
    frontal,
)

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import (
    default_camera,
)
from face_expr_ros.core.types import FaceFit, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.fitting.tddfa_parameters import crop_pixels, network_input


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def test_a_crop_inside_the_image_is_a_view() -> None:
    image = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    pixels = crop_pixels(image, Roi(9.6, 5.4, 30.0, 30.0))
    assert pixels is not None
    assert pixels.base is not None
    assert (pixels == image[5:35, 10:40]).all()


def test_a_crop_is_black_outside_the_image() -> None:
    image = np.full((60, 80, 3), 200, np.uint8)
    pixels = crop_pixels(image, Roi(-10.0, 50.0, 40.0, 40.0))
    assert pixels is not None
    assert pixels.shape == (40, 40, 3)
    assert (pixels[:10, 10:] == 200).all()
    assert (pixels[10:] == 0).all()
    assert (pixels[:, :10] == 0).all()


def test_a_huge_crop_is_subsampled(portrait: NDArray[np.uint8]) -> None:
    large = cv2.resize(portrait, None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR)
    small, huge = (
        crop_pixels(portrait, Roi(-50.0, -50.0, 600.0, 600.0)),
        crop_pixels(large, Roi(-400, -400, 4800, 4800)),
    )
    assert small is not None
    assert huge is not None
    assert max(huge.shape) < 2048
    difference = network_input([small], SIZE) - network_input([huge], SIZE)
    assert np.abs(difference).mean() * 128 < 3.0  # of 255


def test_the_network_input_is_that_of_3ddfa_v2() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (77, 77, 3), np.uint8)
    expected = (cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32) - 127.5) / 128
    assert (network_input([pixels], SIZE)[0] == expected.transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    "crop",
    [
        Roi(math.nan, 0.0, 100.0, 100.0),
        Roi(0.0, 0.0, math.inf, math.inf),
        Roi(0.0, 0.0, math.nan, 100.0),
        Roi(100.0, 100.0, 0.0, 0.0),
        Roi(100.0, 100.0, 0.3, 0.3),
        Roi(100.0, 100.0, -50.0, -50.0),
        Roi(-200.0, -200.0, 100.0, 100.0),
        Roi(640.0, 0.0, 100.0, 100.0),
        Roi(1e300, 0.0, 100.0, 100.0),
    ],
    ids=repr,
)
def test_an_empty_or_invalid_crop_has_confidence_0(tmp_path: Path, model: MorphableModel, crop: Roi) -> None:
    fit = fit_of(bundle_with_output(tmp_path, model, frontal()), crop, fresh=True)
    assert fit.confidence == 0.0
    assert_finite(fit)


def assert_finite(fit: FaceFit) -> None:
    for values in (fit.landmarks68, fit.weak_perspective, fit.shape, fit.expression, fit.pose.position):
        assert np.isfinite(values).all()
    assert fit.pose.rotation @ fit.pose.rotation.T == pytest.approx(np.eye(3), abs=1e-6)
    assert np.linalg.det(fit.pose.rotation) == pytest.approx(1.0)


@pytest.mark.parametrize("crop", [Roi(-1e9, -1e9, 2e9, 2e9), Roi(600.0, 440.0, 90.0, 90.0), Roi(3.0, 3.0, 1.0, 1.0)])
def test_a_crop_that_overlaps_the_image_gives_finite_values(tmp_path: Path, model: MorphableModel, crop: Roi) -> None:
    assert_finite(fit_of(bundle_with_output(tmp_path, model, frontal()), crop, fresh=True))


@pytest.mark.parametrize("size", [1, 2])
def test_an_image_of_1_or_2_pixels_gives_finite_values(tmp_path: Path, model: MorphableModel, size: int) -> None:
    camera = default_camera(size, size, 63.0)
    assert_finite(fit_of(bundle_with_output(tmp_path, model, frontal()), Roi(0, 0, 1, 1), camera, fresh=True))


@pytest.mark.parametrize("crop", [Roi(0.0, 0.0, 10_000.0, 10_000.0), Roi(-900.0, -900.0, 10_000.0, 10_000.0)])
def test_an_image_of_100_megapixels_is_not_copied(crop: Roi) -> None:
    image = np.zeros((10_000, 10_000, 3), np.uint8)  # untouched zeros use no memory
    pixels = crop_pixels(image, crop)
    assert pixels is not None
    assert np.shares_memory(pixels, image) or pixels.nbytes < 4_000_000
    assert network_input([pixels], SIZE).shape == (1, 3, SIZE, SIZE)


@pytest.mark.parametrize("number", [0, 3, 11, 20, -1])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_network_output_that_is_not_finite_has_confidence_0(
    tmp_path: Path, model: MorphableModel, wrong: float, number: int
) -> None:
    values = frontal()
    values[number] = wrong
    fit = fit_of(bundle_with_output(tmp_path, model, values), fresh=True)
    assert fit.confidence == 0.0
    assert_finite(fit)
