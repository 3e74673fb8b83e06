"""Smooth transitions between regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothstep(distance: NDArray, width: float = 1.0) -> NDArray:
    """The cubic 3 t^2 - 2 t^3 of t = distance / width, clipped to 0..1, elementwise."""
    t = np.clip(distance / width, 0.0, 1.0)
    return t * t * (3 - 2 * t)
