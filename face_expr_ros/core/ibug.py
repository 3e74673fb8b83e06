"""The 68 iBUG points: mirror indices, and the offsets of annotated points with the yaw of the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Point k of the mirror image of a face is its point IBUG_MIRROR[k].
IBUG_MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
])  # fmt: skip


def turned_offsets(slide: NDArray[np.floating], turn: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """The (..., 68, 3) offsets of the points in model axes, meters, for heads turned by ``turn`` (...).

    Args:
        slide: (2, 68, 3) meters at a turn of 1: the linear and the quadratic term of the turn, for a head that
            faces image left. The offsets of a head that faces image right are mirrored.
        turn: sine of the apparent yaw, > 0 to image left.
    """
    turn = np.asarray(turn)
    size = np.abs(turn)[..., None, None]
    offsets = size * slide[0] + size**2 * slide[1]
    mirrored = offsets[..., IBUG_MIRROR, :] * np.array([-1, 1, 1])
    return np.where(turn[..., None, None] < 0, mirrored, offsets)


def apparent_turn(weak_perspective: NDArray[np.floating]) -> NDArray[np.floating]:
    """The (...) sine of the yaw of weak perspectives (..., 3, 4), > 0 with the nose to image left."""
    row = weak_perspective[..., 0, :3]
    turn: NDArray[np.floating] = -row[..., 2] / np.maximum(np.linalg.norm(row, axis=-1), 1e-12)
    return turn
