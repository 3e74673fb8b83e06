"""Indices as kernels take them, checked before they lose bits: what is read in C is not checked again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def corners_of(name: str, triangles: object, count: int) -> NDArray[np.int32]:
    """Triangles (T, 3) as 32-bit indices of ``count`` things, in one piece.

    Raises:
        ValueError: their shape is another, they are no integers, or one lies outside.
    """
    array = np.asarray(triangles)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name} must be integers, not {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{name} must have the shape (n, 3), not {array.shape}")
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise ValueError(f"{name} must lie in 0..{count - 1}, not {array.min()}..{array.max()}")
    return np.ascontiguousarray(array, np.int32)
