"""Cuts the head out of MakeHuman's body mesh: skin above the collar, inner mouth, eyeballs, teeth, tongue, lashes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .makehuman import BaseMesh, edge_loop

IntArray = NDArray[np.int64]

PART_NAMES = (
    "skin", "left_eyeball", "right_eyeball", "upper_teeth", "lower_teeth", "tongue", "eyelashes", "inner_mouth",
)  # fmt: skip
MIRROR = np.array([-1.0, 1.0, 1.0])  # of a point's coordinates; its vertex changes as well, see Head.mirror
_PART_GROUPS = {
    "helper-l-eye": "left_eyeball",
    "helper-r-eye": "right_eyeball",
    "helper-upper-teeth": "upper_teeth",
    "helper-lower-teeth": "lower_teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "eyelashes",
    "helper-l-eyelashes-2": "eyelashes",
    "helper-r-eyelashes-1": "eyelashes",
    "helper-r-eyelashes-2": "eyelashes",
}
# Vertices of MakeHuman's base mesh hm08: first edges of the edge loops at the collar and inside the lips, and a vertex
# on the inner side of each.
_COLLAR, _CROWN = (1526, 8207), 881
_INSIDE_LIPS, _THROAT = (537, 7282), 690
_LEFT_LIDS = (6784, 6785)
_LIP_MARGINS = ((468, 7224), (474, 7229), (520, 7267))


@dataclass(frozen=True)
class Head:
    """The head's topology.

    Attributes:
        vertices: (V,) indices into MakeHuman's vertices, ascending.
        triangles: (T, 3) indices into vertices, counter-clockwise from outside.
        uv: (U, 2) texture coordinates; uv_triangles: (T, 3) indices into uv.
        vertex_part: (V,) indices into PART_NAMES.
        mirror: (V,) index of the mirrored vertex.
    """

    vertices: IntArray
    triangles: IntArray
    uv: NDArray[np.float64]
    uv_triangles: IntArray
    vertex_part: IntArray
    mirror: IntArray


def cut_head(base: BaseMesh, mirror: IntArray) -> Head:
    """The head of the base mesh with a clean cut along the edge loop of the collar."""
    body = base.quads[base.quad_groups == "body"]
    skin = _enclosed(body, _COLLAR, _CROWN)
    part = np.full(len(base.vertices), -1)
    part[list(skin)] = PART_NAMES.index("skin")
    part[list(_enclosed(body, _INSIDE_LIPS, _THROAT))] = PART_NAMES.index("inner_mouth")
    for group, name in _PART_GROUPS.items():
        part[base.quads[base.quad_groups == group]] = PART_NAMES.index(name)
    vertices = np.flatnonzero(part >= 0)
    kept = (part[base.quads] >= 0).all(axis=1) & np.isin(base.quad_groups, ["body", *_PART_GROUPS])
    triangles, uv_triangles = _split_quads(base, kept)
    used_uv = np.unique(uv_triangles)
    return Head(
        vertices=vertices,
        triangles=np.searchsorted(vertices, triangles),
        uv=base.uv[used_uv],
        uv_triangles=np.searchsorted(used_uv, uv_triangles),
        vertex_part=part[vertices],
        mirror=np.searchsorted(vertices, mirror[vertices]),
    )


@dataclass(frozen=True)
class Margins:
    """Vertices of the head along the openings of the face.

    Attributes:
        right_lids: (n,) indices into Head.vertices of the margins of both lids of the right eye.
        upper_lip, lower_lip: (n,) of the contact line of the lips and the adjacent edge loops.
    """

    right_lids: IntArray
    upper_lip: IntArray
    lower_lip: IntArray


def face_margins(base: BaseMesh, head: Head) -> Margins:
    """Margins of lids and lips, from the edge loops of the base mesh."""
    body = base.quads[base.quad_groups == "body"]
    lids, *lips = (np.searchsorted(head.vertices, edge_loop(body, *start)) for start in (_LEFT_LIDS, *_LIP_MARGINS))
    # From the middle of the upper lip around the mouth: the corners are where x is extreme.
    corners = [
        sorted((int(x.argmin()), int(x.argmax()))) for x in (base.vertices[head.vertices[lip], 0] for lip in lips)
    ]
    lower = np.concatenate([lip[start : end + 1] for lip, (start, end) in zip(lips, corners, strict=True)])
    upper = np.concatenate(
        [np.r_[lip[: start + 1], lip[end:]] for lip, (start, end) in zip(lips, corners, strict=True)]
    )
    return Margins(head.mirror[lids], upper, lower)


def _enclosed(quads: IntArray, loop: tuple[int, int], inside: int) -> set[int]:
    """All vertices on the side of an edge loop that contains the vertex ``inside``, including the loop."""
    neighbors = defaultdict(set)
    for quad in quads.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbors[a].add(b)
            neighbors[b].add(a)
    border = set(edge_loop(quads, *loop))
    reached, front = {inside}, [inside]
    while front:
        fresh = neighbors[front.pop()] - reached - border
        reached |= fresh
        front.extend(fresh)
    return reached | border


def _split_quads(base: BaseMesh, kept: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Split quads along the shorter diagonal, which is the same on both sides of the symmetric base mesh."""
    quads, uv_quads = base.quads[kept], base.uv_quads[kept]
    corners = base.vertices[quads]
    diagonals = np.linalg.norm(corners[:, [0, 1]] - corners[:, [2, 3]], axis=2)
    order = np.where((diagonals[:, 0] <= diagonals[:, 1])[:, None], [0, 1, 2, 0, 2, 3], [0, 1, 3, 1, 2, 3])
    return (
        np.take_along_axis(quads, order, axis=1).reshape(-1, 3),
        np.take_along_axis(uv_quads, order, axis=1).reshape(-1, 3),
    )
