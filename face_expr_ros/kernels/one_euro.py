"""One step of a One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) for many values at once, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _one_euro

Float64 = NDArray[np.float64]


def one_euro_step(
    value: NDArray, last: Float64, speed: Float64, settings: Float64, derivative_cutoff: float, elapsed: float
) -> Float64:
    """The smoothed values (n,), a new array. Equals, with the gain g(c) = 1 / (1 + 1 / (2 pi c elapsed))::

        unit, slow, minimum_cutoff, beta = settings
        speed += g(derivative_cutoff) * ((value - last) / (elapsed * unit) - speed)
        cutoff = minimum_cutoff + beta * np.maximum(np.abs(speed) - slow, 0.0)
        smoothed = last + g(cutoff) * (value - last)

    Args:
        value: (n,) new.
        last: (n,) smoothed; speed: (n,) in units a second, changed in place.
        settings: (4, n).
        derivative_cutoff: Hz.
        elapsed: seconds, more than 0.

    Raises:
        ValueError: a shape does not fit the others.
    """
    given = np.ascontiguousarray(value, np.float64)
    if given.ndim != 1 or last.shape != given.shape or speed.shape != given.shape or settings.shape != (4, given.size):
        shapes = f"{given.shape}, {last.shape}, {speed.shape} and {settings.shape}"
        raise ValueError(f"three vectors (n,) and settings (4, n) are wanted, not {shapes}")
    smoothed = np.empty_like(given)
    _one_euro.step(given, last, speed, settings, derivative_cutoff, elapsed, smoothed)
    return smoothed
