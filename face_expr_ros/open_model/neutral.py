"""Normalizes sampled heads: closes the lips and removes the head pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .head import PART_NAMES, Head
from .makehuman import BaseMesh, edge_loop

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Edge loops around the mouth, each by its first edge (the midline of the upper lip and the vertex to its left), from
# the vermilion border over the contact line of the lips into the mouth, with their share of the displacement.
_CONTACT = (474, 7229)
_LIP_LOOPS = (
    ((455, 7214), 0.15), ((466, 7222), 0.35), ((467, 7223), 0.6), ((509, 7257), 0.85), ((468, 7224), 1.0),
    (_CONTACT, 1.0), ((520, 7267), 1.0), ((537, 7282), 0.85), ((554, 7297), 0.6), ((571, 7312), 0.35),
    ((588, 7327), 0.15),
)  # fmt: skip
_LOWER_MIDDLE = 493
_REMAINING_GAP = 0.15  # fraction of the gap between the base mesh's lips, which shows its teeth at the corners


def close_lips(heads: FloatArray, base: BaseMesh, head: Head) -> FloatArray:
    """Move the lips of (N, V, 3) heads vertically until the gap between them is a fraction of the base mesh's.

    Each lip moves by half of the distance at the contact line, less at the vermilion border and inside the mouth.
    """
    body = base.quads[base.quad_groups == "body"]
    loops = [(np.searchsorted(head.vertices, edge_loop(body, *start)), share) for start, share in _LIP_LOOPS]
    contact = next(loop for (loop, _), (start, _) in zip(loops, _LIP_LOOPS, strict=True) if start == _CONTACT)
    middle = int(np.flatnonzero(head.vertices[contact] == _LOWER_MIDDLE)[0])
    opposite = _opposite_lip(base.vertices[head.vertices[contact], 0], middle)
    apart = opposite - np.eye(len(contact))
    base_gap = apart @ base.vertices[head.vertices[contact], 1]
    scale = heads[:, contact, 0].std() / base.vertices[head.vertices[contact], 0].std()
    excess = heads[:, contact, 1] @ apart.T - _REMAINING_GAP * scale * base_gap
    closed = heads.copy()
    for loop, share in loops:
        closed[:, loop, 1] += 0.5 * share * excess
    return closed


def align(heads: FloatArray, origin: int, stable: Sequence[int] | IntArray) -> FloatArray:
    """Rotate every (V, 3) head so that its stable vertices fit those of the mean (Kabsch), and move origin to zero.

    This removes the head pose and keeps shape and size.
    """
    heads = heads - heads[:, stable].mean(axis=1, keepdims=True)
    mean = heads.mean(axis=0)[stable]
    left, _, right = np.linalg.svd(np.einsum("nvi,vj->nij", heads[:, stable], mean))
    flips = np.ones((len(heads), 3))
    flips[:, 2] = np.linalg.det(left @ right)
    rotated = heads @ ((left * flips[:, None, :]) @ right)
    return np.asarray(rotated - rotated[:, [origin]])


def upper_face(base: BaseMesh, head: Head) -> IntArray:
    """Vertices of skin that jaw, neck and ears do not move: above the base of the nose, in front of the ears."""
    vertices = base.vertices[head.vertices]
    skin = head.vertex_part == PART_NAMES.index("skin")
    return np.flatnonzero(skin & (vertices[:, 1] > 6.9) & (vertices[:, 2] > 0.6))


def _opposite_lip(x: FloatArray, middle: int) -> FloatArray:
    """(n, n) weights that interpolate, for every vertex of the contact line, the height of the other lip at the same x.

    The line starts at the middle of the upper lip and passes the middle of the lower lip at index ``middle``; the
    corners are mapped to themselves.
    """
    count = len(x)
    corners = sorted((int(x.argmin()), int(x.argmax())))
    upper = np.array([k for k in range(count) if not corners[0] < k < corners[1]])
    lower = np.arange(corners[0], corners[1] + 1)
    if middle not in lower:
        raise ValueError(f"expected vertex {middle} of the contact line on the lower lip")
    weights = np.zeros((count, count))
    for own, other in ((upper, lower), (lower, upper)):
        order = other[np.argsort(x[other])]
        for k in own:
            weights[k, order] = [np.interp(x[k], x[order], row) for row in np.eye(len(order))]
    weights[corners] = np.eye(count)[corners]
    return weights
