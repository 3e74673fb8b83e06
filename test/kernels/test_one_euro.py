"""The compiled One-Euro step against the equations of its docstring."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.one_euro import NoiseLevels, filter_step, new_state

ELAPSED, DERIVATIVE_CUTOFF, LEVELS = 1 / 30, 1.5, NoiseLevels()


def gain(cutoff: FloatArray | float) -> FloatArray | float:
    return 1 / (1 + 1 / (2 * np.pi * ELAPSED * cutoff))


class InNumpy:
    """The equations, also those of the noise."""

    def __init__(self, first: FloatArray, noise_from: int) -> None:
        self.value, self.speed, self.noise_from = first, np.zeros(len(first)), noise_from
        self.variance, self.change = np.zeros(len(first)), np.zeros(len(first))
        self.last: FloatArray | None = None

    def sigma(self, values: FloatArray) -> FloatArray:
        if self.last is None:
            self.last = values
            return np.zeros(len(values))
        change = values - self.last
        limit = np.maximum(LEVELS.min_limit, LEVELS.sigmas * self.variance)
        reversal = np.clip(-change * self.change, -limit, limit)
        self.variance = np.maximum(self.variance + ELAPSED / LEVELS.time_constant * (reversal - self.variance), 0)
        self.last, self.change = values, change
        return np.where(np.arange(len(values)) >= self.noise_from, np.sqrt(self.variance), 0)

    def __call__(self, values: FloatArray, settings: FloatArray) -> FloatArray:
        unit, dead_zone, cutoff, beta = settings
        sigma = self.sigma(values)
        noisy = np.arange(len(values)) >= self.noise_from
        quiet = (LEVELS.residual / np.maximum(sigma, LEVELS.residual)) ** 2 / (np.pi * ELAPSED)
        dead_zone = np.maximum(dead_zone, LEVELS.speeds * sigma / (ELAPSED * unit))
        cutoff = np.where(noisy, np.minimum(cutoff, np.maximum(quiet, LEVELS.min_cutoff)), cutoff)
        change = values - self.value
        self.speed = self.speed + gain(DERIVATIVE_CUTOFF) * (change / (ELAPSED * unit) - self.speed)
        self.value = self.value + gain(cutoff + beta * np.maximum(np.abs(self.speed) - dead_zone, 0)) * change
        return self.value


@pytest.mark.parametrize("noise_from", [0, 7, 20])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_steps_match_the_equations(noise_from: int, dtype: type, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    settings, first = rng.uniform(0.1, 3.0, (4, 20)), rng.normal(size=20)
    expected, state = InNumpy(first, noise_from), new_state(first)
    for scale in rng.uniform(50, 60, 40):
        values = rng.normal(size=20)
        found = filter_step(
            (values * scale).astype(dtype), ELAPSED, settings, state, DERIVATIVE_CUTOFF, noise_from, LEVELS, scale
        )
        assert found.dtype == dtype
        np.testing.assert_allclose(found / scale, expected(values, settings), atol=10 * tolerance)


def test_no_values_are_filtered() -> None:
    state = new_state(np.zeros(0))
    assert filter_step(np.zeros(0), ELAPSED, np.ones((4, 0)), state, 1.0, 0, LEVELS).shape == (0,)


def test_infinite_time_constant_measures_no_noise() -> None:
    state, levels = new_state(np.zeros(3)), NoiseLevels(time_constant=np.inf)
    for value in np.random.default_rng(0).normal(size=(20, 3)):
        filter_step(value, ELAPSED, np.ones((4, 3)), state, 1.0, 0, levels)
    assert not state[2].any()


@pytest.mark.parametrize(
    ("values", "settings", "state", "elapsed"), [(3, 2, 3, 0.1), (3, 3, 2, 0.1), (3, 3, 3, 0.0), (3, 3, 3, np.nan)]
)
def test_inconsistent_arguments_are_rejected(values: int, settings: int, state: int, elapsed: float) -> None:
    with pytest.raises(ValueError, match="expected values"):
        filter_step(np.zeros(values), elapsed, np.ones((4, settings)), np.zeros((5, state)), 1.0, 0, LEVELS)
