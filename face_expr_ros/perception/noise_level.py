"""How noisy each value of a signal is, measured while it runs: a filter trusts a value as much as it deserves.

White noise changes its direction from sample to sample, movement does not: the product of two successive changes has
the mean ``-variance`` for noise of that variance, and is positive for a movement that goes on.
"""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import FloatArray

_MEMORY = 1.0  # seconds
_LEAST_LIMIT = 0.1**2  # a product counts by no more than this or 9 variances, so that a blink is no noise
_SIGMAS = 9.0


class NoiseLevel:
    """Standard deviations of the noise of values that share one time."""

    def __init__(self, size: int) -> None:
        self._variance: FloatArray = np.zeros(size)
        self._last: FloatArray | None = None
        self._change: FloatArray = np.zeros(size)

    def __call__(self, value: FloatArray, elapsed: float) -> FloatArray:
        """(n,) after the values (n,), ``elapsed`` seconds after the last ones."""
        if self._last is None:
            self._last = value.copy()
            return np.zeros(value.size)
        change = value - self._last
        limit = np.maximum(_LEAST_LIMIT, _SIGMAS * self._variance)
        against = np.clip(-change * self._change, -limit, limit)
        self._variance += min(1.0, elapsed / _MEMORY) * (against - self._variance)
        np.maximum(self._variance, 0.0, out=self._variance)
        self._last, self._change = value.copy(), change
        return np.sqrt(self._variance)
