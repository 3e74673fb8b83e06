"""One step of a One-Euro filter over many values, compiled: all of it in one pass over the values.

The standard deviation of the noise of a value is estimated from successive changes: their product has the mean
``-variance`` for white noise, and is positive for a continued movement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _one_euro

# By the type of the values: the dispatch of a compiled function takes several microseconds.
_STEP = {np.dtype(np.float32): _one_euro.step["float"], np.dtype(np.float64): _one_euro.step["double"]}
Values = TypeVar("Values", NDArray[np.float32], NDArray[np.float64])


@dataclass(frozen=True)
class NoiseLevels:
    """How noise is measured, and how it changes the filter.

    Attributes:
        time_constant: of the measurement, seconds; infinite measures none.
        min_limit, sigmas: a product of changes counts up to this, or this many variances, if that is larger: blinks
            are not noise.
        speeds: the multiple of the noise's speed that the dead zone covers.
        residual: standard deviation that may remain.
        min_cutoff: Hz; with a lower one the lag would be too large.
    """

    time_constant: float = 1.0
    min_limit: float = 0.1**2
    sigmas: float = 9.0
    speeds: float = 1.8
    residual: float = 0.003
    min_cutoff: float = 0.02

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """All of them in order."""
        return tuple(getattr(self, each.name) for each in fields(self))


def new_state(values: NDArray) -> NDArray[np.float64]:
    """(5, n) the state after the first values (n,): value, speed, variance, last value and change of the noise."""
    state = np.zeros((5, values.size))
    state[0], state[4] = values.ravel(), np.nan
    return state


def filter_step(
    values: Values,
    elapsed: float,
    settings: NDArray[np.float64],
    state: NDArray[np.float64],
    derivative_cutoff: float,
    noise_from: int,
    levels: NoiseLevels,
    scale: float = 1.0,
) -> Values:
    """The filtered values (n,), and the state after them.

    Without noise it equals, with ``gain(f) = 1 / (1 + 1 / (2 pi elapsed f))``::

        unit, dead_zone, cutoff, beta = settings
        change = values / scale - value
        speed += gain(derivative_cutoff) * (change / (elapsed * unit) - speed)
        value += gain(cutoff + beta * np.maximum(np.abs(speed) - dead_zone, 0)) * change
        return value * scale

    With a noise of the standard deviation sigma, first::

        dead_zone = np.maximum(dead_zone, levels.speeds * sigma / (elapsed * unit))
        quiet = (levels.residual / np.maximum(sigma, levels.residual)) ** 2 / (pi * elapsed)
        cutoff = np.minimum(cutoff, np.maximum(quiet, levels.min_cutoff))

    Args:
        values: (n,) float32 or float64.
        elapsed: seconds since the last values, > 0.
        settings: (4, n) unit, dead zone in units per second, cutoff in Hz, beta.
        state: (5, n) from `new_state`, changed in place.
        derivative_cutoff: Hz.
        noise_from: index of the first value whose noise is measured.
        levels: of the noise.
        scale: of the values against the state.

    Raises:
        ValueError: a shape or type is wrong.
    """
    n, shapes = values.size, (values.shape, settings.shape, state.shape)
    if values.dtype not in _STEP or shapes != ((n,), (4, n), (5, n)) or not elapsed > 0.0:
        raise ValueError(
            "expected values (n,), settings (4, n), a state (5, n) and an elapsed time > 0, got "
            f"{values.dtype} {shapes} and {elapsed}"
        )
    out = np.empty_like(values)
    gain = 1.0 / (1.0 + 1.0 / (2.0 * math.pi * elapsed * derivative_cutoff))
    _STEP[values.dtype](values, scale, elapsed, settings, gain, noise_from, levels.numbers, state, out)
    return out
