"""The compiled landmark fit against the same steps in NumPy, and degenerate landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.core.geometry import rotation_to_axis
from face_expr_ros.core.similarity import umeyama_alignment
from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.landmark_fit import LandmarkFit
from face_expr_ros.kernels.normal_equations import POSE, NormalEquations
from face_expr_ros.kernels.unit_box import solve_unit_box

FOCAL, MIDDLE = 900.0, np.array([640.0, 360.0])
INVERSE_VARIANCE = 3.0


@dataclass(frozen=True)
class Face:
    """A random face model, and the landmarks of a face that it explains up to noise."""

    mean: FloatArray
    basis: FloatArray
    noise: tuple[FloatArray, FloatArray]
    prior: FloatArray
    chosen: FloatArray
    landmarks: FloatArray
    expected: FloatArray

    @classmethod
    def random(cls, seed: int, n: int = 60, shapes: int = 5, expressions: int = 8) -> Face:
        rng = np.random.default_rng(seed)
        mean, chosen = rng.normal(0, 0.04, (3, n)), rng.permutation(2 * n)[:n]
        basis = rng.normal(0, 0.004, (3, n, shapes + expressions))
        coefficients = np.concatenate([rng.normal(size=shapes), rng.uniform(-0.5, 1.2, expressions).clip(0, 1)])
        turn = Rotation.from_rotvec(rng.normal(0, 0.4, 3)).as_matrix() @ np.diag([1.0, -1.0, -1.0])
        points = (turn @ (mean + basis @ coefficients)).T + np.array([0.1, -0.05, 0.6])
        landmarks = rng.normal(size=(2 * n, 3)).astype(np.float32)
        landmarks[chosen, :2] = points[:, :2] / points[:, 2:] * FOCAL + MIDDLE + rng.normal(0, 0.5, (n, 2))
        landmarks[chosen, 2] = (points[:, 2] - 0.6) * FOCAL / 0.6
        noise = rng.uniform(100, 400, n), rng.uniform(50, 200, n)
        return cls(mean, basis, noise, 4.0 * np.eye(expressions) + 0.5, chosen, landmarks, rng.normal(size=shapes))

    def kernel(self) -> LandmarkFit:
        return LandmarkFit(self.mean, self.basis, *self.noise, self.prior, self.chosen)

    def fit(self, kernel: LandmarkFit, iterations: int = 4) -> tuple[FloatArray, FloatArray, FloatArray]:
        rays = (self.landmarks[self.chosen, :2].astype(float) - MIDDLE) / FOCAL
        return kernel(self.landmarks, rays, self.expected, self.expected, INVERSE_VARIANCE, iterations)


def in_numpy(face: Face, iterations: int) -> tuple[tuple[FloatArray, FloatArray, FloatArray], float]:
    """The steps that the docstring names, and the residual."""
    equations, shapes = NormalEquations(face.mean, face.basis, *face.noise), len(face.expected)
    landmarks = face.landmarks[face.chosen].astype(float)
    rays = (landmarks[:, :2] - MIDDLE) / FOCAL
    toward = rotation_to_axis(np.array([*rays.mean(axis=0), 1.0]))
    turned = np.column_stack([rays, np.ones(len(rays))]) @ toward.T
    directions = turned[:, :2] / turned[:, 2:]
    depths = landmarks[:, 2] * np.sqrt(directions.var(axis=0).sum() / landmarks[:, :2].var(axis=0).sum())
    values, offset, rotated = np.concatenate([face.expected, np.zeros(len(face.prior))]), 0.0, np.inf
    aligned = umeyama_alignment(equations.points(values).T, np.column_stack([directions, depths]))
    rotation, distance = aligned.rotation, aligned.spread / aligned.correlation
    position = distance * np.append(aligned.target_mean[:2], 1.0) - rotation @ aligned.source_mean
    equations.linearize(directions, depths, rotation, position, offset, values)
    penalty = np.zeros((POSE + len(values), POSE + len(values)))
    penalty[POSE : POSE + shapes, POSE : POSE + shapes] = INVERSE_VARIANCE * np.eye(shapes)
    penalty[POSE + shapes :, POSE + shapes :] = face.prior
    center = np.concatenate([np.zeros(POSE), face.expected, np.zeros(len(face.prior))])
    for _ in range(iterations):
        if rotated > 0.01:
            normal = equations.normal() + penalty
        now = np.concatenate([np.zeros(3), position, [offset], values])
        right = normal @ now - equations.gradient() - penalty @ (np.append(np.zeros(POSE), values) - center)
        solution = bounded_minimum(normal, right, POSE + shapes)
        rotation = Rotation.from_rotvec(solution[:3]).as_matrix() @ rotation
        position, offset, values, rotated = solution[3:6], solution[6], solution[POSE:], np.abs(solution[:3]).max()
        equations.linearize(directions, depths, rotation, position, offset, values)
        if rotated < 2e-3:
            break
    return (toward.T @ rotation, toward.T @ position, values), equations.residual


def bounded_minimum(normal: FloatArray, right: FloatArray, free: int) -> FloatArray:
    """The minimum of x' N x / 2 - b' x, with all but the first unknowns bounded to 0..1."""
    a, b, c = normal[:free, :free], normal[:free, free:], normal[free:, free:]
    bounded = solve_unit_box(c - b.T @ np.linalg.solve(a, b), right[free:] - b.T @ np.linalg.solve(a, right[:free]))
    return np.concatenate([np.linalg.solve(a, right[:free] - b @ bounded), bounded])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_the_fit_matches_the_steps_in_numpy(seed: int, iterations: int) -> None:
    face = Face.random(seed)
    kernel = face.kernel()
    found = face.fit(kernel, iterations)
    expected, residual = in_numpy(face, iterations)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4 * max(1.0, np.abs(other).max()))  # sums in float32
    assert kernel.residual == pytest.approx(residual, rel=1e-3)


def test_the_order_of_calls_does_not_matter() -> None:
    first, kernel = Face.random(1), Face.random(0).kernel()
    second = Face.random(0)
    alone = second.fit(second.kernel())
    second.fit(kernel, 1)
    for one, other in zip(second.fit(kernel), alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.fit(first.kernel())[2].shape == (13,)


def test_a_model_without_expression_is_fitted() -> None:
    face = Face.random(3, shapes=6, expressions=0)
    rotation, position, coefficients = face.fit(face.kernel())
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert position[2] == pytest.approx(0.6, rel=0.2)
    assert coefficients.shape == (6,)


SPOILED: dict[str, Callable[[FloatArray], FloatArray]] = {
    "one place": lambda landmarks: landmarks * 0,
    "one column": lambda landmarks: landmarks * np.float32([0, 1, 1]),
    "NaN": lambda landmarks: landmarks * np.float32(np.nan),
    "infinite": lambda landmarks: landmarks + np.float32(np.inf),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_degenerate_landmarks_are_refused(spoil: Callable[[FloatArray], FloatArray]) -> None:
    face = Face.random(0)
    spoiled = Face(face.mean, face.basis, face.noise, face.prior, face.chosen, spoil(face.landmarks), face.expected)
    with pytest.raises(np.linalg.LinAlgError, match="landmarks are not finite, or all in one place"):
        spoiled.fit(spoiled.kernel())


def test_depths_that_are_not_finite_are_refused() -> None:
    face = Face.random(0)
    face.landmarks[:, 2] = np.nan
    with pytest.raises(np.linalg.LinAlgError, match="not determined"):
        face.fit(face.kernel())


def test_inconsistent_arguments_are_rejected() -> None:
    face = Face.random(0)
    with pytest.raises(ValueError, match="prior: expected a square matrix"):
        LandmarkFit(face.mean, face.basis, *face.noise, np.ones((2, 3)), face.chosen)
    with pytest.raises(ValueError, match="chosen: expected 60 rows from 0 on"):
        LandmarkFit(face.mean, face.basis, *face.noise, face.prior, face.chosen[1:])
    with pytest.raises(ValueError, match="expected landmarks"):
        face.kernel()(face.landmarks[:9], np.zeros((60, 2)), face.expected, face.expected, 1.0, 1)
