"""The numbers of a face in one array, so that one filter smooths all of them, compiled.

The array has position, shape, expression, the points and the weak perspective in face heights, a quaternion, and the
blendshapes. The weak perspective is in it as its origin and the tips of its axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _face_numbers

Float64 = NDArray[np.float64]
_AXIS_LENGTH = 0.1  # meters
_MATRIX, _QUATERNION = 12, 4  # numbers


def projected_count(points: int) -> int:
    """The numbers of that many points, and of the weak perspective."""
    return 3 * points + _MATRIX


def join_numbers(
    position: NDArray,
    shape: NDArray,
    expression: NDArray,
    points: NDArray,
    matrix: NDArray,
    rotation: NDArray,
    blendshapes: NDArray,
    quaternion: Float64,
    height: float,
    quaternion_scale: float,
) -> Float64:
    """The numbers of a face; equals::

        corners = np.vstack([points, matrix[:, 3], matrix[:, 3] + 0.1 * matrix[:, :3].T]) / height
        turn = quaternion_scale * quaternion_from_rotation(rotation)  # or its negative, the same rotation
        np.concatenate([position, shape, expression, corners.ravel(), turn, blendshapes])

    Args:
        position: (3,); shape, expression and blendshapes: of any length.
        points: (n, 3) and matrix: (3, 4) the weak perspective, pixels; height: of the face, pixels.
        rotation: (3, 3) proper.
        quaternion: (4,) x, y, z, w of an earlier frame, which decides the sign.

    Raises:
        ValueError: a shape is wrong.
    """
    if position.shape != (3,) or matrix.shape != (3, 4) or rotation.shape != (3, 3) or points.shape[1:] != (3,):
        raise ValueError(
            f"expected a position (3,), points (n, 3), a matrix (3, 4) and a rotation (3, 3), got {position.shape}, "
            f"{points.shape}, {matrix.shape} and {rotation.shape}"
        )
    sizes = len(shape), len(expression), projected_count(len(points)), len(blendshapes)
    out = np.empty(3 + sum(sizes) + _QUATERNION)
    arrays = position, shape, expression, points, matrix, rotation, blendshapes
    _face_numbers.join(
        *[np.asarray(array, np.float64) for array in arrays], quaternion, height, _AXIS_LENGTH, quaternion_scale, out
    )
    return out


def split_numbers(
    numbers: Float64, shape: int, expression: int, points: int, height: float, quaternion_scale: float
) -> tuple[Float64, Float64, Float64, Float64, Float64, Float64, Float64, Float64]:
    """The inverse of `join_numbers`, whose shape, expression and points had these lengths.

    Returns:
        position, shape, expression, points, matrix, rotation, blendshapes and quaternion; those that are a part of the
        numbers are views.

    Raises:
        ValueError: there are too few numbers.
    """
    begin = 3 + shape + expression
    end = begin + projected_count(points) + _QUATERNION
    if numbers.ndim != 1 or len(numbers) < end:
        raise ValueError(f"expected at least {end} numbers, got {numbers.shape}")
    placed, matrix, rotation, quaternion = np.empty((points, 3)), np.empty((3, 4)), np.empty((3, 3)), np.empty(4)
    _face_numbers.split(numbers, begin, height, _AXIS_LENGTH, quaternion_scale, placed, matrix, rotation, quaternion)
    parts = numbers[:3], numbers[3 : 3 + shape], numbers[3 + shape : begin]
    return *parts, placed, matrix, rotation, numbers[end:], quaternion
