"""Rotations: compared with SciPy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from face_expr_ros.core import rotations


def random_rotations(count: int = 200) -> Rotation:
    """Random rotations, the identity, half turns about the axes, and angles close to 0 and to pi."""
    vectors = [np.zeros(3), *(np.pi * np.eye(3)), *np.outer([1e-9, 1e-5, np.pi - 1e-6], [0.6, 0.0, -0.8])]
    return Rotation.concatenate([Rotation.random(count, random_state=1), Rotation.from_rotvec(vectors)])


def test_rotations_about_axes_are_right_handed():
    for axis, name in enumerate("xyz"):
        expected = Rotation.from_euler(name, 0.7).as_matrix()
        np.testing.assert_allclose(rotations.about_axis(axis, 0.7), expected, atol=1e-15)


def test_quaternions_equal_scipys():
    for rotation in random_rotations():
        matrix, expected = rotation.as_matrix(), rotation.as_quat()
        found = rotations.canonical_quaternion(matrix)
        assert found[3] >= 0.0
        assert abs(found @ expected) == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(rotations.rotation_from_quaternion(3.0 * found), matrix, atol=1e-12)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, -3), (-3, 0.1, 0.2)])
@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, 2.0, np.pi - 1e-9, np.pi, 4.0])
def test_the_largest_component_is_positive(axis: tuple[float, ...], angle: float) -> None:
    rotation = Rotation.from_rotvec(angle * np.array(axis) / np.linalg.norm(axis))
    found, expected = rotations.quaternion_from_rotation(rotation.as_matrix()), rotation.as_quat()
    assert np.abs(found).max() == found.max()
    np.testing.assert_allclose(found * np.sign(found @ expected), expected, atol=1e-12)
    np.testing.assert_allclose(rotations.rotation_from_quaternion(3.0 * found), rotation.as_matrix(), atol=1e-12)


def test_rotation_vectors_equal_scipys_and_are_inverted():
    for rotation in random_rotations():
        matrix, vector = rotation.as_matrix(), rotations.rotation_vector(rotation.as_matrix())
        assert np.linalg.norm(vector) == pytest.approx(rotation.magnitude(), abs=1e-8)
        np.testing.assert_allclose(rotations.rotation_from_vector(vector), matrix, atol=1e-8)
        np.testing.assert_allclose(rotations.rotation_from_vector(rotation.as_rotvec()), matrix, atol=1e-12)


def test_a_fraction_keeps_the_axis():
    for rotation in random_rotations(20)[:20]:
        for fraction in (0.0, 0.3, 1.0):
            expected = Rotation.from_rotvec(fraction * rotation.as_rotvec()).as_matrix()
            np.testing.assert_allclose(rotations.fraction_of(rotation.as_matrix(), fraction), expected, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_interpolation_equals_scipys(count: int):
    known, given = np.arange(count) * 0.4, Rotation.random(count, random_state=2)
    times = np.linspace(0.0, known[-1], 11)
    expected = Slerp(known, given)(times).as_matrix() if count > 1 else np.repeat(given.as_matrix(), 11, axis=0)
    np.testing.assert_allclose(rotations.interpolated(times, known, given.as_matrix()), expected, atol=1e-9)
