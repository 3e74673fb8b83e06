"""Images of more than 8 bits per value as 8 bits.

Sensors deliver 10, 12 or 14 bits in the low bits of 16, and messages do not say how many. Scaled as 16 bits they are
nearly black, so the white level is measured.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_PERCENTILE = 99.9  # of the values, that become white: reflections are ignored
_SAMPLES = 65536  # values from which the level is measured
_MIN_LEVEL, _MAX_LEVEL = 1023.0, 65535.0  # of 10 and of 16 bits; the noise of a dark image is not amplified further
_ADAPTATION = 0.05  # of the difference, per image: at 30 Hz the level adapts within a second and does not flicker


class WhiteLevel:
    """The white level of a stream of images; it starts with that of the first one and adapts slowly."""

    def __init__(self) -> None:
        self._level: float | None = None

    def update(self, values: NDArray[Any]) -> float:
        """The level for an image of uint16 values, after it has been taken into account."""
        measured = white_level(values)
        self._level = measured if self._level is None else self._level + _ADAPTATION * (measured - self._level)
        return self._level


def white_level(values: NDArray[Any]) -> float:
    """The white level of one image of uint16 values."""
    rows = max(1, round((values.size / _SAMPLES) ** 0.5))
    sample = values[::rows, :: rows | 1]  # an odd step across meets all colors of a mosaic
    return float(np.clip(np.percentile(sample, _PERCENTILE), _MIN_LEVEL, _MAX_LEVEL))


def to_eight_bits(values: NDArray[Any], level: float) -> NDArray[np.uint8]:
    """uint16 values as uint8, 0 to ``level`` as 0 to 255; higher ones are white."""
    return np.asarray(cv2.convertScaleAbs(values, alpha=255.0 / level), dtype=np.uint8)
