"""Simple solids with displacements, of which avatars are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 3) meters in model axes, origin at the sellion
Move = Callable[[Points], Points]  # from points to their displacements


@dataclass
class Part:
    """A mesh with one color and its displacements by blendshape."""

    points: Points
    triangles: NDArray[np.int64]
    color: tuple[float, float, float] | Points
    glow: bool = False  # unlit
    moves: dict[str, Points] = field(default_factory=dict)

    def on(self, move: Move, *names: str) -> Part:
        """Add a displacement to some blendshapes; returns the part."""
        for name in names:
            self.moves[name] = self.moves.get(name, np.zeros_like(self.points)) + move(self.points)
        return self


def solid(
    center: tuple[float, float, float], radii: tuple[float, float, float], color: Any, *, power: float = 1.0,
    count: int = 20, glow: bool = False,
) -> Part:  # fmt: skip
    """An ellipsoid; a power below 1 makes it a box with rounded edges."""
    across, around = np.meshgrid(np.linspace(0, np.pi, count), np.linspace(0, 2 * np.pi, 2 * count, endpoint=False))
    unit = np.stack([np.sin(across) * np.cos(around), np.cos(across), np.sin(across) * np.sin(around)], -1)
    unit = np.sign(unit) * np.abs(unit) ** power
    row, column = (index.ravel() for index in np.meshgrid(np.arange(2 * count), np.arange(count - 1), indexing="ij"))
    following = (row + 1) % (2 * count)
    corners = [
        row * count + column,
        following * count + column,
        following * count + column + 1,
        row * count + column + 1,
    ]
    a, b, c, d = corners
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return Part(unit.reshape(-1, 3) * radii + center, triangles, color, glow)


def turned(part: Part, degrees: float, axis: int, pivot: tuple[float, float, float]) -> Part:
    """The part after a rotation about an axis (0 to 2) through a point."""
    part.points = part.points + rotation(degrees, axis, pivot)(part.points)
    return part


def rotation(degrees: float, axis: int, pivot: tuple[float, float, float]) -> Move:
    """Rotation about an axis through a point."""
    angle, others = np.radians(degrees), [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[np.ix_(others, others)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return lambda points: (points - pivot) @ matrix.T + pivot - points


def shift(x: float, y: float, z: float = 0.0) -> Move:
    """Translation in meters."""
    return lambda points: np.broadcast_to([x, y, z], points.shape).astype(float)


def scale(x: float, y: float, center: tuple[float, float, float]) -> Move:
    """Scaling about a point."""
    return lambda points: (points - center) * [x - 1, y - 1, 0.0]
