"""Simple sums over a few hundred points, compiled: for rows of two or three numbers NumPy takes ten times as long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _points

FloatArray = NDArray[np.floating]

Float64 = NDArray[np.float64]


def unpacked(data: bytes, size: int, places: Sequence[int]) -> NDArray[np.float32]:
    """(n, len(places)) of records of ``size`` bytes with little-endian floats at these places; n = len(data) // size.

    Equals, for each of the places ``at``::

        rows = np.frombuffer(data[: n * size], np.uint8).reshape(n, size)
        column = np.ascontiguousarray(rows[:, at : at + 4]).view("<f4")

    Raises:
        ValueError: a float would end outside its record.
    """
    if min(places) < 0 or max(places) + 4 > size:
        raise ValueError(f"floats within records of {size} bytes are wanted, not at {tuple(places)}")
    out = np.empty((len(data) // size, len(places)), "<f4")
    _points.unpack(data, size, np.array(places, np.intp), out)
    return out


def scaled(points: FloatArray, scales: Sequence[float], starts: Sequence[float]) -> FloatArray:
    """``points * scales + starts`` for points (n, k) of 32 or 64 bits, in the same type.

    Raises:
        ValueError: a shape does not fit the others.
    """
    given, count = _rows(points, 1, some=False), len(scales)
    if given.shape[1] != count or len(starts) != count:
        raise ValueError(f"points (n, k) with k scales and starts are wanted, not {points.shape} with {count}")
    out = np.empty_like(given)
    _points.scale(given, np.array(scales, np.float64), np.array(starts, np.float64), out)
    return out


def box_around(points: FloatArray) -> tuple[float, float, float, float]:
    """Left, top, width and height of the box around points (n, >= 2); not a number where one is none.

    Equals ``(*points[:, :2].min(axis=0), *np.ptp(points[:, :2], axis=0))``.

    Raises:
        ValueError: there are no points.
    """
    left, top, width, height = _points.box(_rows(points, 2))
    return left, top, width, height


def moments(points: FloatArray) -> tuple[float, float, float, float]:
    """Mean x, mean y, and their variances, of points (n, >= 2).

    Equals, in double precision, ``(*points[:, :2].mean(axis=0), *points[:, :2].var(axis=0))``.

    Raises:
        ValueError: there are no points.
    """
    x, y, variance_x, variance_y = _points.moments(_rows(points, 2))
    return x, y, variance_x, variance_y


def transformed(points: FloatArray, matrix: FloatArray, start: FloatArray) -> Float64:
    """``points @ matrix.T + start`` for points (n, 3) of 32 or 64 bits, a matrix (3, 3) and a start (3,).

    Raises:
        ValueError: a shape is wrong.
    """
    given = _rows(points, 3, some=False)
    rows, origin = np.ascontiguousarray(matrix, np.float64), np.ascontiguousarray(start, np.float64)
    if given.shape[1] != 3 or rows.shape != (3, 3) or origin.shape != (3,):
        raise ValueError(f"(n, 3), (3, 3) and (3,) are wanted, not {given.shape}, {rows.shape} and {origin.shape}")
    out = np.empty(given.shape)
    _points.move(given, rows, origin, out)
    return out


def rotated_directions(directions: FloatArray, rotation: FloatArray) -> Float64:
    """Directions (n, 2), x / z and y / z, as a camera sees them whose axes are the rows of a rotation (3, 3).

    Equals ``turned[:, :2] / turned[:, 2:]`` with ``turned = np.column_stack([directions, np.ones(n)]) @ rotation.T``.

    Raises:
        ValueError: a shape is wrong.
    """
    given, axes = np.ascontiguousarray(directions, np.float64), np.ascontiguousarray(rotation, np.float64)
    if given.ndim != 2 or given.shape[1] != 2 or axes.shape != (3, 3):
        raise ValueError(f"directions (n, 2) and a rotation (3, 3) are wanted, not {given.shape} and {axes.shape}")
    out = np.empty_like(given)
    _points.turn(given, axes, out)
    return out


def _rows(points: FloatArray, least: int, *, some: bool = True) -> FloatArray:
    """The points in one piece, as 32 or 64 bits; ``some``: there must be at least one."""
    if points.ndim != 2 or points.shape[1] < least or (some and not len(points)):
        raise ValueError(f"points (n, >= {least}){', at least one,' * some} are wanted, not {points.shape}")
    return np.ascontiguousarray(points, np.float32 if points.dtype == np.float32 else np.float64)
