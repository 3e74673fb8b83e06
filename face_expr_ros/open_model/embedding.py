"""Fits the positions of FaceMesh's 478 points on the open model's mesh.

For every point, the position on the surface (triangle and barycentric coordinates) is selected whose projection is
nearest to the FaceMesh landmark over all renders, in the trimmed least squares sense. No rays are cast, so occluded
lips need no special case.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel

from .embedding_file import LANDMARK_COUNT, Embedding
from .head import Margins
from .observations import Observation

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_NEAREST_VERTICES = 12
_KEPT = 0.7  # fraction of the renders, those with the smallest errors, in the trimmed least squares
_ROUNDS = 4
# FaceMesh points on the margins of lids and lips, from the subject's right to left.
RIGHT_UPPER_LID = (246, 161, 160, 159, 158, 157, 173)
RIGHT_LOWER_LID = (7, 163, 144, 145, 153, 154, 155)
RIGHT_EYE_CORNERS = (33, 133)
LEFT_UPPER_LID = (466, 388, 387, 386, 385, 384, 398)
LEFT_LOWER_LID = (249, 390, 373, 374, 380, 381, 382)
LEFT_EYE_CORNERS = (263, 362)
INNER_UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
INNER_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
RIGHT_IRIS, LEFT_IRIS = tuple(range(468, 473)), tuple(range(473, 478))
_BROWS = (46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336)
_NOSE = (1, 2, 4, 5, 6, 19, 44, 45, 48, 64, 94, 97, 98, 115, 122, 168, 195, 197, 220, 274, 275, 278, 294, 326, 327, 344)
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_RIGHT_LIDS = RIGHT_UPPER_LID + RIGHT_LOWER_LID + RIGHT_EYE_CORNERS
_LEFT_LIDS = LEFT_UPPER_LID + LEFT_LOWER_LID + LEFT_EYE_CORNERS
REGIONS = {
    "all": tuple(range(LANDMARK_COUNT)),
    "lids": _RIGHT_LIDS + _LEFT_LIDS,
    "irises": RIGHT_IRIS + LEFT_IRIS,
    "brows": _BROWS,
    "nose": _NOSE,
    "outer lips": _OUTER_LIPS,
    "inner lips": INNER_UPPER_LIP + INNER_LOWER_LIP,
    "face oval": _OVAL,
}


def find_embedding(model: MorphableModel, observations: Sequence[Observation], margins: Margins) -> Embedding:
    """The embedding with the smallest errors on the observations, made symmetric with the mesh's mirror."""
    pixels = np.stack([o.pixels * o.millimeters for o in observations]).astype(np.float64)
    landmarks = np.stack([o.landmarks * o.millimeters for o in observations]).astype(np.float64)
    neutral = np.array([o.neutral for o in observations])
    allowed = [_allowed_triangles(model, k, margins) for k in range(LANDMARK_COUNT)]
    found = [_best_position(model, pixels, landmarks[:, k], allowed[k], neutral) for k in range(LANDMARK_COUNT)]
    return _symmetric(model, _as_embedding(found), allowed)


def residuals(model: MorphableModel, embedding: Embedding, observations: Sequence[Observation]) -> FloatArray:
    """(n, 478) distances between the embedded points and the FaceMesh landmarks, millimeters at the face."""
    points = (model.points(o.pixels, embedding.triangle, embedding.barycentric) for o in observations)
    pairs = zip(points, observations, strict=True)
    return np.stack([np.linalg.norm(p - o.landmarks, axis=1) * o.millimeters for p, o in pairs])


def residual_table(model: MorphableModel, embedding: Embedding, observations: Sequence[Observation]) -> str:
    """A Markdown table of mean residuals by region: all renders, and those with a neutral expression."""
    millimeters = residuals(model, embedding, observations)
    pixels = millimeters / np.array([[o.millimeters] for o in observations])
    neutral = np.array([o.neutral for o in observations])
    rows = ["| region | points | mean, mm | mean, px | neutral faces, mm |", "|---|---|---|---|---|"]
    for name, points in REGIONS.items():
        columns = np.array(points)
        values = (millimeters[:, columns], pixels[:, columns], millimeters[neutral][:, columns])
        rows.append(f"| {name} | {len(points)} | " + " | ".join(f"{value.mean():.2f}" for value in values) + " |")
    return "\n".join(rows)


def _as_embedding(positions: Sequence[tuple[int, FloatArray]]) -> Embedding:
    triangle = np.array([triangle for triangle, _ in positions], np.int32)
    return Embedding(triangle, np.array([weights for _, weights in positions], np.float32))


def _allowed_triangles(model: MorphableModel, landmark: int, margins: Margins) -> IntArray:
    """Triangles for a landmark: eyeballs for irises, margins for lids and inner lips, otherwise the outer skin."""
    skin = model.part_names.index("skin")
    if landmark in RIGHT_IRIS + LEFT_IRIS:
        side = "right" if landmark in RIGHT_IRIS else "left"
        return np.flatnonzero(model.triangle_part == model.part_names.index(f"{side}_eyeball"))
    for landmarks, vertices in (
        (_RIGHT_LIDS, margins.right_lids),
        (_LEFT_LIDS, model.mirror[margins.right_lids]),
        (INNER_UPPER_LIP, margins.upper_lip),
        (INNER_LOWER_LIP, margins.lower_lip),
    ):
        if landmark in landmarks:
            return np.flatnonzero(np.isin(model.triangles, vertices).sum(axis=1) >= 2)
    return np.flatnonzero((model.vertex_part[model.triangles] == skin).all(axis=1))


def _best_position(
    model: MorphableModel, pixels: FloatArray, landmarks: FloatArray, allowed: IntArray, neutral: NDArray[np.bool_]
) -> tuple[int, FloatArray]:
    """The triangle and weights nearest to the landmarks (n, 2) in images of the vertices (n, V, 2)."""
    vertices = np.unique(model.triangles[allowed])
    subset = np.flatnonzero(neutral)[:80]
    distances = np.linalg.norm(pixels[subset][:, vertices] - landmarks[subset, None], axis=2)
    nearest = vertices[np.argsort(_trimmed_mean(distances))[:_NEAREST_VERTICES]]
    triangles = allowed[np.isin(model.triangles[allowed], nearest).any(axis=1)]
    corners = model.triangles[triangles]
    used = np.ones((len(pixels), len(triangles)), bool)
    for _ in range(_ROUNDS):
        weights = _least_squares_weights(pixels[:, corners], landmarks, used)
        points = np.einsum("ntkc,tk->ntc", pixels[:, corners], weights)
        distances = np.linalg.norm(points - landmarks[:, None], axis=2)
        used = distances <= np.quantile(distances, _KEPT, axis=0)
    best = int(np.argmin(_trimmed_mean(distances)))
    return int(triangles[best]), weights[best]


def _trimmed_mean(distances: FloatArray) -> FloatArray:
    kept = np.sort(distances, axis=0)[: max(1, int(_KEPT * len(distances)))]
    return np.asarray(kept.mean(axis=0))


def _least_squares_weights(corners: FloatArray, landmarks: FloatArray, used: NDArray[np.bool_]) -> FloatArray:
    """(t, 3) barycentric coordinates inside t triangles with corners (n, t, 3, 2) nearest to landmarks (n, 2)."""
    edges = corners[:, :, 1:] - corners[:, :, :1]
    offset = (landmarks[:, None] - corners[:, :, 0]) * used[:, :, None]
    normal = np.einsum("ntic,ntjc,nt->tij", edges, edges, used)
    target = np.einsum("ntic,ntc->ti", edges, offset)
    free = np.einsum("tij,tj->ti", np.linalg.pinv(normal), target)
    inside = np.column_stack([1.0 - free.sum(axis=1), free])
    outside = (inside < 0).any(axis=1)
    inside[outside] = [_on_the_border(normal[t], target[t]) for t in np.flatnonzero(outside)]
    return inside


def _on_the_border(normal: FloatArray, target: FloatArray) -> FloatArray:
    """Weights of the point on a triangle's sides that minimizes b.normal.b / 2 - target.b over its last two weights."""
    candidates = []
    for start, end in (((0.0, 0.0), (1.0, 0.0)), ((0.0, 0.0), (0.0, 1.0)), ((1.0, 0.0), (0.0, 1.0))):
        origin, along = np.array(start), np.array(end) - start
        curvature = along @ normal @ along
        step = np.clip(along @ (target - normal @ origin) / max(curvature, 1e-12), 0.0, 1.0)
        candidates.append(origin + step * along)
    best = min(candidates, key=lambda b: float(b @ normal @ b / 2 - target @ b))
    return np.array([1.0 - best.sum(), *best])


def _symmetric(model: MorphableModel, embedding: Embedding, allowed: Sequence[IntArray]) -> Embedding:
    """Average each point with the mirror image of its counterpart and project it onto the surface."""
    points = model.points(model.mean.astype(np.float64), embedding.triangle, embedding.barycentric)
    mirrored = points * (-1.0, 1.0, 1.0)
    counterpart = np.array([np.argmin(np.linalg.norm(mirrored - p, axis=1)) for p in points])
    for side, other in ((RIGHT_IRIS, LEFT_IRIS), (LEFT_IRIS, RIGHT_IRIS)):
        counterpart[list(side)] = [other[0], other[3], other[2], other[1], other[4]]
    paired = counterpart[counterpart] == np.arange(len(points))
    symmetric = np.where(paired[:, None], (points + mirrored[counterpart]) / 2, points)
    pairs = zip(symmetric, allowed, strict=True)
    return _as_embedding([_nearest_position(model, point, triangles) for point, triangles in pairs])


def _nearest_position(model: MorphableModel, point: FloatArray, triangles: IntArray) -> tuple[int, FloatArray]:
    """The position on some triangles of the mean face that is nearest to a point (3,)."""
    corners = model.mean[model.triangles[triangles]].astype(np.float64)
    near = np.argsort(np.linalg.norm(corners.mean(axis=1) - point, axis=1))[:40]
    edges = corners[near, 1:] - corners[near, :1]
    normal = np.einsum("tic,tjc->tij", edges, edges)
    target = np.einsum("tic,tc->ti", edges, point - corners[near, 0])
    free = np.einsum("tij,tj->ti", np.linalg.inv(normal), target)
    weights = np.column_stack([1.0 - free.sum(axis=1), free])
    for t in np.flatnonzero((weights < 0).any(axis=1)):
        weights[t] = _on_the_border(normal[t], target[t])
    distance = np.linalg.norm(np.einsum("tkc,tk->tc", corners[near], weights) - point, axis=1)
    best = int(np.argmin(distance))
    return int(triangles[near[best]]), weights[best]
