"""The compiled sums over points and the One-Euro step, beside the lines of NumPy that they equal."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.kernels.one_euro import one_euro_step
from face_expr_ros.kernels.points import box_around, moments, rotated_directions, scaled, transformed, unpacked

RNG = np.random.default_rng(6)
POINTS = RNG.normal(300.0, 80.0, (478, 3))
TYPES = pytest.mark.parametrize("points", [POINTS, POINTS.astype(np.float32), POINTS[:1], POINTS[::2, :2]])


@TYPES
def test_a_box_reaches_from_the_least_to_the_largest(points: NDArray) -> None:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    assert box_around(points) == (*low.tolist(), *(high - low).tolist())


@TYPES
def test_moments_are_means_and_variances(points: NDArray) -> None:
    wide = points[:, :2].astype(np.float64)
    assert moments(points) == pytest.approx((*wide.mean(axis=0), *wide.var(axis=0)), rel=1e-12, abs=1e-12)


@TYPES
def test_points_are_scaled_in_their_own_type(points: NDArray) -> None:
    scales, starts = (640.0, 480.0, 640.0)[: points.shape[1]], (-0.5, 11.5, 0.0)[: points.shape[1]]
    wanted = points * np.array(scales, points.dtype) + np.array(starts, points.dtype)
    found = scaled(points, scales, starts)
    assert found.dtype == points.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("row", [0, 200, 477])
def test_a_point_that_is_not_a_number_leaves_neither_box_nor_moments(row: int, column: int) -> None:
    points = POINTS.copy()
    points[row, column] = np.nan
    box, found = box_around(points), moments(points)
    assert np.isnan([box[column], box[2 + column], found[column], found[2 + column]]).all()
    assert np.isfinite([box[1 - column], found[1 - column]]).all()


def test_directions_turn_with_the_camera() -> None:
    directions, rotation = RNG.normal(0.0, 0.2, (252, 2)), rotation_from_euler(0.2, -0.1, 0.4)
    turned = np.column_stack([directions, np.ones(252)]) @ rotation.T
    found = rotated_directions(directions, rotation)
    np.testing.assert_allclose(found, turned[:, :2] / turned[:, 2:], rtol=1e-12)


def test_floats_are_taken_out_of_records() -> None:
    record = np.dtype({"names": ["a", "b"], "formats": ["<f4", "<f4"], "offsets": [1, 6], "itemsize": 11})
    records = np.zeros(5, record)
    records["a"], records["b"] = np.arange(5), -np.arange(5)
    np.testing.assert_array_equal(unpacked(records.tobytes(), 11, (6, 1)), [(-i, i) for i in range(5)])
    assert unpacked(b"", 11, (6, 1)).shape == (0, 2)


@pytest.mark.parametrize("places", [(-1, 1), (1, 8)])
def test_floats_outside_their_record_are_refused(places: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="within records of 11 bytes"):
        unpacked(bytes(22), 11, places)


def test_no_points_stay_none_when_they_are_moved() -> None:
    assert scaled(POINTS[:0], (1.0,) * 3, (0.0,) * 3).shape == transformed(POINTS[:0], np.eye(3), np.zeros(3)).shape
    assert rotated_directions(POINTS[:0, :2], np.eye(3)).shape == (0, 2)


def test_other_shapes_are_refused() -> None:
    for wrong in (POINTS[:0], POINTS[0], POINTS[:, :1]):
        with pytest.raises(ValueError, match="at least one"):
            box_around(wrong)
        with pytest.raises(ValueError, match="at least one"):
            moments(wrong)
    with pytest.raises(ValueError, match="k scales"):
        scaled(POINTS, (1.0, 2.0), (0.0, 0.0))
    with pytest.raises(ValueError, match="a rotation"):
        rotated_directions(POINTS, np.eye(3))


def test_a_one_euro_step_equals_its_lines_of_numpy() -> None:
    value, last, speed = RNG.normal(size=(3, 300))
    unit, slow, minimum_cutoff, beta = settings = RNG.uniform(0.1, 3.0, (4, 300))
    elapsed, derivative_cutoff = 0.04, 1.3

    def gain(cutoff: NDArray | float) -> NDArray:
        return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff * elapsed)))

    faster = speed + gain(derivative_cutoff) * ((value - last) / (elapsed * unit) - speed)
    cutoff = minimum_cutoff + beta * np.maximum(np.abs(faster) - slow, 0.0)
    wanted = last + gain(cutoff) * (value - last)
    found = one_euro_step(value, last, speed, settings, derivative_cutoff, elapsed)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(speed, faster, rtol=1e-12)


def test_a_one_euro_step_wants_settings_for_each_value() -> None:
    with pytest.raises(ValueError, match=r"settings \(4, n\)"):
        one_euro_step(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((4, 2)), 1.0, 0.04)


@TYPES
def test_points_are_transformed_like_a_product(points: NDArray) -> None:
    matrix, start = RNG.normal(size=(3, 3)), RNG.normal(size=3)
    if points.shape[1] == 3:
        np.testing.assert_allclose(transformed(points, matrix, start), points @ matrix.T + start, rtol=1e-9)
    else:
        with pytest.raises(ValueError, match="wanted"):
            transformed(points, matrix, start)
