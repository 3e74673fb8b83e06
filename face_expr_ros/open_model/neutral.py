"""Makes sampled heads neutral: lips that meet and no head pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .head import PART_NAMES, Head
from .makehuman import BaseMesh, edge_loop

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Each edge loop around the mouth by its first edge (the midline of the upper lip and the vertex to its left), from
# the vermilion border over the line where the lips meet into the mouth, with its share of the lips' displacement.
_CONTACT = (474, 7229)
_LIP_LOOPS = (
    ((455, 7214), 0.15), ((466, 7222), 0.35), ((467, 7223), 0.6), ((509, 7257), 0.85), ((468, 7224), 1.0),
    (_CONTACT, 1.0), ((520, 7267), 1.0), ((537, 7282), 0.85), ((554, 7297), 0.6), ((571, 7312), 0.35),
    ((588, 7327), 0.15),
)  # fmt: skip
_LOWER_MIDDLE = 493
_REST_GAP = 0.15  # of the slit between the base mesh's lips, through which its teeth show at the corners


def close_lips(heads: FloatArray, base: BaseMesh, head: Head) -> FloatArray:
    """Moves the lips of (N, V, 3) heads up and down until the slit between them is a fraction of the base mesh's.

    Both lips move by half, the line where they meet fully, the vermilion border and the inside of the mouth less.
    """
    body = base.quads[base.quad_groups == "body"]
    loops = [(np.searchsorted(head.vertices, edge_loop(body, *start)), share) for start, share in _LIP_LOOPS]
    contact = next(loop for (loop, _), (start, _) in zip(loops, _LIP_LOOPS, strict=True) if start == _CONTACT)
    middle = int(np.flatnonzero(head.vertices[contact] == _LOWER_MIDDLE)[0])
    opposite = _opposite_lip(base.vertices[head.vertices[contact], 0], middle)
    apart = opposite - np.eye(len(contact))
    rest = apart @ base.vertices[head.vertices[contact], 1]
    scale = heads[:, contact, 0].std() / base.vertices[head.vertices[contact], 0].std()
    excess = heads[:, contact, 1] @ apart.T - _REST_GAP * scale * rest
    closed = heads.copy()
    for loop, share in loops:
        closed[:, loop, 1] += 0.5 * share * excess
    return closed


def align(heads: FloatArray, origin: int, stable: Sequence[int] | IntArray) -> FloatArray:
    """Turns every (V, 3) head so that its stable vertices fit the mean's best (Kabsch), then puts origin at zero.

    What is left is shape: no head pose. Sizes are kept.
    """
    heads = heads - heads[:, stable].mean(axis=1, keepdims=True)
    mean = heads.mean(axis=0)[stable]
    left, _, right = np.linalg.svd(np.einsum("nvi,vj->nij", heads[:, stable], mean))
    flips = np.ones((len(heads), 3))
    flips[:, 2] = np.linalg.det(left @ right)
    turned = heads @ ((left * flips[:, None, :]) @ right)
    return np.asarray(turned - turned[:, [origin]])


def upper_face(base: BaseMesh, head: Head) -> IntArray:
    """Skin that neither jaw nor neck nor ears move: above the nose base, in front of the ears."""
    vertices = base.vertices[head.vertices]
    skin = head.vertex_part == PART_NAMES.index("skin")
    return np.flatnonzero(skin & (vertices[:, 1] > 6.9) & (vertices[:, 2] > 0.6))


def _opposite_lip(x: FloatArray, middle: int) -> FloatArray:
    """(n, n) weights that give every vertex of the contact line the height of the other lip at the same x.

    The line starts at the middle of the upper lip and passes the middle of the lower one at index middle; its
    corners, which have no opposite, are their own.
    """
    count = len(x)
    corners = sorted((int(x.argmin()), int(x.argmax())))
    upper = np.array([k for k in range(count) if not corners[0] < k < corners[1]])
    lower = np.arange(corners[0], corners[1] + 1)
    if middle not in lower:
        raise ValueError(f"vertex {middle} of the contact line should lie on the lower lip")
    weights = np.zeros((count, count))
    for own, other in ((upper, lower), (lower, upper)):
        order = other[np.argsort(x[other])]
        for k in own:
            weights[k, order] = [np.interp(x[k], x[order], row) for row in np.eye(len(order))]
    weights[corners] = np.eye(count)[corners]
    return weights
