"""The triangles between FaceMesh's points, derived from the edges that MediaPipe publishes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION
from numpy.typing import NDArray

from face_expr_ros.core.facemesh_regions import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS

_START = (4, 44, 1)  # at the tip of the nose, counter-clockwise seen from outside


def derive_triangles() -> NDArray[np.int32]:
    """(898, 3) indices of points 0..467, counter-clockwise seen from outside; eyes and mouth are closed by triangles.

    MediaPipe's edges leave eyes and mouth open; there its canonical face model has 46 triangles more, which go back and
    forth between the upper and the lower rim, as do ours.
    """
    triangles = _between_edges() + [corner for rim in (RIGHT_LIDS, LEFT_LIDS, INNER_LIPS) for corner in _filled(rim)]
    return np.array(_wound_alike(triangles), dtype=np.int32)


def _between_edges() -> list[tuple[int, ...]]:
    neighbors: dict[int, set[int]] = {}
    for a, b in FACEMESH_TESSELATION:
        neighbors.setdefault(a, set()).add(b)
        neighbors.setdefault(b, set()).add(a)
    closed = {tuple(sorted((a, b, c))) for a, b in FACEMESH_TESSELATION for c in neighbors[a] & neighbors[b]}
    uses = Counter(edge for triangle in closed for edge in _edges(triangle))
    # Three edges around other triangles are none themselves: each of them has a triangle on both sides already.
    return sorted(triangle for triangle in closed if any(uses[edge] <= 2 for edge in _edges(triangle)))


def _edges(triangle: tuple[int, ...]) -> list[frozenset[int]]:
    a, b, c = triangle
    return [frozenset((a, b)), frozenset((b, c)), frozenset((c, a))]


def _filled(rim: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A closed chain that begins at one of its corners, filled by a strip from there to the opposite one."""
    ahead, behind = 1, len(rim) - 1
    triangles: list[tuple[int, ...]] = [(rim[0], rim[ahead], rim[behind])]
    while behind - ahead > 1:
        triangles.append((rim[ahead], rim[ahead + 1], rim[behind]))
        ahead += 1
        if behind - ahead > 1:
            triangles.append((rim[ahead], rim[behind - 1], rim[behind]))
            behind -= 1
    return triangles


def _wound_alike(triangles: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """All triangles wound as the one at the tip of the nose: neighbors run along their common edge in opposite ways."""
    sides: dict[frozenset[int], list[int]] = {}
    for number, triangle in enumerate(triangles):
        for edge in _edges(triangle):
            sides.setdefault(edge, []).append(number)
    first = triangles.index(tuple(sorted(_START)))
    wound: dict[int, tuple[int, ...]] = {first: _START}
    waiting = [first]
    while waiting:
        a, b, c = wound[waiting.pop()]
        for start, end in ((a, b), (b, c), (c, a)):
            for number in sides[frozenset((start, end))]:
                if number not in wound:
                    (far,) = set(triangles[number]) - {start, end}
                    wound[number] = (end, start, far)
                    waiting.append(number)
    return [wound[number] for number in sorted(wound)]
