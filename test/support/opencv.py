"""Comparison of kernels with the interpolation of the installed OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV 4 rounds positions to 1/32 pixel, OpenCV 5 does not. Two neighbors in noise differ by up to 255: moved by 1/64
# pixel in both directions, the result differs by at most 2 * 255 / 64, and by 1 after rounding.
_EXACT = cv2.__version__ < "5"
_TOLERANCE = 2 * 255 / 64 + 1


def assert_as_opencv(given: NDArray, expected: NDArray, white: float = 255.0) -> None:
    """Assert that pixels equal those of OpenCV 4 to the bit, and those of OpenCV 5 up to its other rounding."""
    if _EXACT:
        np.testing.assert_array_equal(given, expected)
        return
    difference = (given.astype(np.float64) - expected) * (255.0 / white)
    assert np.abs(difference).max(initial=0.0) <= _TOLERANCE
    assert difference.size < 1000 or abs(difference.mean()) < 0.5  # no shift
