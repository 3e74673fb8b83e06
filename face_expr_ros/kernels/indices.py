"""Checks indices before they are converted to 32 bits; the compiled code does not check them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def corners_of(name: str, triangles: object, count: int) -> NDArray[np.int32]:
    """Triangles (T, 3) as contiguous 32-bit indices below ``count``.

    Raises:
        ValueError: the shape is wrong, the type is not integer, or an index is out of range.
    """
    array = np.asarray(triangles)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name}: expected integers, got {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{name}: expected the shape (n, 3), got {array.shape}")
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise ValueError(f"{name}: expected indices in 0..{count - 1}, got {array.min()}..{array.max()}")
    return np.ascontiguousarray(array, np.int32)
