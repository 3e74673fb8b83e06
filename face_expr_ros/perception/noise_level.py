"""Online estimation of the noise of each value of a signal, for adaptive filters.

The product of two successive changes has the mean ``-variance`` for white noise, and is positive for a continued
movement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from face_expr_ros.core.types import FloatArray

_TIME_CONSTANT = 1.0  # seconds
_MIN_LIMIT = 0.1**2  # limit of a product (or 9 variances, if larger), so that blinks do not count as noise
_SIGMAS = 9.0


class NoiseLevel:
    """Estimates the standard deviations of the noise of an array of values."""

    def __init__(self) -> None:
        self._variance: FloatArray | None = None
        self._last: FloatArray = np.zeros(0)
        self._change: FloatArray = np.zeros(0)

    def __call__(self, value: FloatArray, elapsed: float) -> FloatArray:
        """(n,) standard deviations, updated with values (n,), ``elapsed`` seconds after the previous ones."""
        if self._variance is None:
            self._variance, self._last, self._change = np.zeros(value.size), value.copy(), np.zeros(value.size)
            return self._variance
        change = value - self._last
        limit = np.maximum(_MIN_LIMIT, _SIGMAS * self._variance)
        reversal = np.clip(-change * self._change, -limit, limit)
        weight = min(1.0, elapsed / _TIME_CONSTANT)
        self._variance = np.maximum(self._variance + weight * (reversal - self._variance), 0.0)
        self._last, self._change = value.copy(), change
        return np.asarray(np.sqrt(self._variance))

    def state_dict(self) -> dict[str, Any]:
        """The state between two values."""
        return {"variance": self._variance, "last": self._last, "change": self._change}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._variance, self._last, self._change = state["variance"], state["last"], state["change"]
