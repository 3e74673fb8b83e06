"""The numbers of a face in one array, and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.core.rotations import quaternion_from_rotation
from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.face_numbers import join_numbers, projected_count, split_numbers

SCALE, HEIGHT = 3.0, 120.0
Parts = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def parts(seed: int) -> Parts:
    """Position, shape, expression, points, matrix, rotation and blendshapes."""
    rng = np.random.default_rng(seed)
    position, shape, expression, points, matrix = (rng.normal(size=size) for size in ((3,), (4,), (5,), (6, 3), (3, 4)))
    rotation = Rotation.random(random_state=seed).as_matrix()
    return position, shape, expression, points, matrix, rotation, rng.uniform(size=7)


@pytest.mark.parametrize("seed", range(6))
def test_the_parts_of_a_face_are_found_again(seed: int) -> None:
    given = parts(seed)
    numbers = join_numbers(*given, UPRIGHT, HEIGHT, SCALE)
    assert numbers.shape == (3 + 4 + 5 + projected_count(6) + 4 + 7,)
    *found, quaternion = split_numbers(numbers, 4, 5, 6, HEIGHT, SCALE)
    for one, other in zip(given, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert abs(quaternion @ quaternion_from_rotation(given[5])) == pytest.approx(1.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_sign_of_the_quaternion_is_that_of_the_last_one(sign: float) -> None:
    given = parts(0)
    last = sign * quaternion_from_rotation(given[5])
    *_, quaternion = split_numbers(join_numbers(*given, last, HEIGHT, SCALE), 4, 5, 6, HEIGHT, SCALE)
    np.testing.assert_allclose(quaternion, last, atol=1e-12)


def test_points_are_in_face_heights() -> None:
    given = parts(0)
    numbers = join_numbers(*given, UPRIGHT, HEIGHT, SCALE)
    np.testing.assert_allclose(numbers[12:30], given[3].ravel() / HEIGHT)
    origin, tip = given[4][:, 3], given[4][:, 3] + 0.1 * given[4][:, 0]
    np.testing.assert_allclose(numbers[30:36], np.concatenate([origin, tip]) / HEIGHT)


def test_parts_of_other_shapes_are_rejected() -> None:
    position, *_ = given = parts(0)
    with pytest.raises(ValueError, match="expected a position"):
        join_numbers(position[:2], *given[1:], UPRIGHT, HEIGHT, SCALE)
    with pytest.raises(ValueError, match="expected at least"):
        split_numbers(np.zeros(9), 4, 5, 6, HEIGHT, SCALE)
