"""The compiled sums of the landmark fit against NumPy, and derivatives against finite differences."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.normal_equations import POSE, NormalEquations

EPSILON = 1e-4


@dataclass(frozen=True)
class Problem:
    mean: FloatArray
    basis: FloatArray
    across: FloatArray
    along: FloatArray
    directions: FloatArray
    depths: FloatArray
    rotation: FloatArray
    position: FloatArray
    offset: float
    coefficients: FloatArray

    def equations(self) -> NormalEquations:
        equations = NormalEquations(self.mean, self.basis, self.across, self.along)
        equations.linearize(self.directions, self.depths, self.rotation, self.position, self.offset, self.coefficients)
        return equations


def random_problem(seed: int, points: int, coefficients: int) -> Problem:
    """A face of 10 cm, half a meter away."""
    rng = np.random.default_rng(seed)
    return Problem(
        mean=rng.normal(size=(3, points)) * 0.05,
        basis=(rng.normal(size=(3, points, coefficients)) * 0.002).astype(np.float32),
        across=rng.uniform(50, 500, points),
        along=rng.uniform(50, 500, points),
        directions=rng.normal(size=(points, 2)) * 0.1,
        depths=rng.normal(size=points) * 0.1,
        rotation=Rotation.random(random_state=seed).as_matrix(),
        position=np.array([0.02, -0.01, 0.5]),
        offset=0.01,
        coefficients=rng.normal(size=coefficients),
    )


def in_numpy(problem: Problem, unknowns: FloatArray, distance: float | None = None) -> FloatArray:
    """The errors (n, 3) after a small change of the unknowns; ``distance`` fixes the scale of the errors."""
    turn, shift = Rotation.from_rotvec(unknowns[:3]).as_matrix(), unknowns[3:6]
    points = problem.mean.T + (problem.basis.astype(np.float64) @ (problem.coefficients + unknowns[POSE:])).T
    moved = points @ (turn @ problem.rotation).T + problem.position + shift
    far = moved[:, 2].mean() if distance is None else distance
    sideways = problem.across[:, None] * far * (moved[:, :2] / moved[:, 2:] - problem.directions)
    depth = moved[:, 2] - far * (1 + problem.depths) - problem.offset - unknowns[6]
    return np.column_stack([sideways, problem.along * depth])


def zeros(problem: Problem) -> FloatArray:
    return np.zeros(POSE + len(problem.coefficients))


SIZES = [(1, 1), (5, 3), (60, 9), (252, 92)]  # landmarks, coefficients


@pytest.mark.parametrize(("points", "coefficients"), SIZES)
def test_the_errors_follow_the_formula_of_the_docstring(points: int, coefficients: int) -> None:
    problem = random_problem(0, points, coefficients)
    expected = in_numpy(problem, zeros(problem))
    assert problem.equations().errors.reshape(-1, 3) == pytest.approx(expected, rel=1e-4, abs=1e-3)  # noises


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 6, 7, 12])
def test_the_jacobian_matches_finite_differences(column: int) -> None:
    problem = random_problem(1, 60, 9)
    step = zeros(problem)
    step[column] = EPSILON
    far = (problem.rotation @ (problem.mean + problem.basis @ problem.coefficients)).mean(axis=1) + problem.position
    after, before = in_numpy(problem, step, far[2]), in_numpy(problem, -step, far[2])
    found = problem.equations().jacobian()[:, column].reshape(-1, 3)
    assert found == pytest.approx((after - before) / (2 * EPSILON), rel=1e-3, abs=0.02)


@pytest.mark.parametrize(("points", "coefficients"), SIZES)
def test_the_sums_match_numpy(points: int, coefficients: int) -> None:
    equations = random_problem(2, points, coefficients).equations()
    jacobian = equations.jacobian().astype(np.float64)
    assert equations.normal() == pytest.approx(
        jacobian.T @ jacobian, rel=1e-4, abs=1e-5 * (jacobian**2).sum(axis=0).max()
    )
    assert equations.gradient() == pytest.approx(jacobian.T @ equations.errors, rel=1e-6, abs=1e-3)


def test_linearizing_again_replaces_the_previous_state() -> None:
    problem, other = random_problem(3, 60, 9), random_problem(4, 60, 9)
    used = NormalEquations(problem.mean, problem.basis, problem.across, problem.along)
    for state in (other, problem):
        used.linearize(state.directions, state.depths, state.rotation, state.position, state.offset, state.coefficients)
    np.testing.assert_array_equal(used.jacobian(), problem.equations().jacobian())
    np.testing.assert_array_equal(used.normal(), problem.equations().normal())


def test_points_on_their_rays_have_no_residual() -> None:
    problem = random_problem(5, 60, 9)
    equations = problem.equations()
    moved = problem.rotation @ equations.points(problem.coefficients) + problem.position[:, None]
    equations.linearize(
        (moved[:2] / moved[2]).T, problem.depths, problem.rotation, problem.position, 0.0, problem.coefficients
    )
    assert equations.residual < 1e-9  # meters


@pytest.mark.parametrize("name", ["directions", "depths", "rotation", "position", "coefficients"])
def test_an_array_of_the_wrong_shape_is_rejected(name: str) -> None:
    problem = random_problem(6, 5, 3)
    state = {
        key: getattr(problem, key) for key in ("directions", "depths", "rotation", "position", "offset", "coefficients")
    }
    with pytest.raises(ValueError, match=f"{name}: expected the shape"):
        problem.equations().linearize(**(state | {name: np.zeros((7, 7))}))


@pytest.mark.parametrize("points", [1, 19, 20, 21, 40, 41])
@pytest.mark.parametrize("coefficients", [1, 8, 9, 10, 25])
def test_the_sums_match_numpy_at_sizes_around_a_tile(points: int, coefficients: int) -> None:
    """20 landmarks and 16 columns are summed at once."""
    equations = random_problem(7, points, coefficients).equations()
    jacobian = equations.jacobian().astype(np.float64)
    scale = float((jacobian**2).sum(axis=0).max())
    np.testing.assert_allclose(equations.normal(), jacobian.T @ jacobian, rtol=1e-4, atol=1e-5 * scale)
    np.testing.assert_allclose(equations.gradient(), jacobian.T @ equations.errors, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("shape", [(3, 0, 5), (3, 5, 0), (2, 5, 5), (3, 5)])
def test_a_face_without_points_or_coefficients_is_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"(3, n, coefficients), got {shape}")):
        NormalEquations(np.zeros((3, 5)), np.zeros(shape), np.ones(5), np.ones(5))


@pytest.mark.parametrize("name", ["mean", "across", "along"])
def test_a_constant_of_the_wrong_shape_is_rejected(name: str) -> None:
    parts = {"mean": np.zeros((3, 5)), "across": np.ones(5), "along": np.ones(5)} | {name: np.ones((2, 2))}
    with pytest.raises(ValueError, match=f"{name}: expected the shape"):
        NormalEquations(basis=np.zeros((3, 5, 2)), **parts)
