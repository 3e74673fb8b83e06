"""A face model with fewer triangles for drawing: parts of the same mesh, so that all coefficients stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from face_expr_ros.face_model import BundleError, MorphableModel
from face_expr_ros.landmarks.mediapipe_topology import facemesh_triangles

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

HIDDEN_PARTS = ("eyelashes",)  # cards that need a texture's transparency
KEPT = 0.25  # of the vertices, in `decimated`
_MOVING = 3  # expressions that are looked at besides the mean face: those that move most
_ROUND = 0.3  # of the vertices: the cheapest ones, of which a round removes those that do not touch each other
_TURN = 0.2  # least cosine between a triangle's normals before and after
_NEAR = 24  # triangles that are asked for the nearest point


def drawn_model(model: MorphableModel, detail: str) -> MorphableModel:
    """What is drawn of a model, as a model with the same coefficients.

    Args:
        model: with a surface; a sparse one is returned as it is.
        detail: "full" is all but the eyelashes, "decimated" a quarter of its vertices, and "facemesh" the points and
            898 triangles of MediaPipe's FaceMesh, where they lie on the model.

    Returns the model without texture coordinates, mirror and landmarks; itself, where all of it is drawn.
    Raises BundleError when the model does not say where FaceMesh's points lie.
    """
    if model.sparse:
        return model
    if detail == "facemesh":
        return _facemesh(model)
    triangles = _seen(model)
    if detail == "decimated":
        triangles = decimated(_shapes(model), triangles, KEPT)
    return model if triangles is model.triangles else _part(model, triangles)


def landmark_model(model: MorphableModel) -> MorphableModel:
    """The model's landmarks alone: FaceMesh's 478 points, or where it does not have them the 68 iBUG points."""

    def points(array: Floats) -> Floats:
        return model.facemesh_points(array) if len(model.facemesh_triangle) else array[..., model.landmarks68, :]

    return _of_points(model, points, np.zeros((0, 3), np.int32))


def decimated(shapes: Floats, triangles: Integers, kept: float) -> Integers:
    """The triangles of a mesh when most vertices are merged into neighbors, those first where it changes least.

    Garland and Heckbert, "Surface simplification using quadric error metrics", 1997, with three differences: a vertex
    moves only to a neighbor, so that what remains are vertices of the mesh in every shape; the error is the sum over
    several shapes; and a round merges many vertices that are at least two edges apart. Rims stay.

    Args:
        shapes: (S, V, 3) the same mesh in several shapes, meters.
        triangles: (T, 3).
        kept: the part of the used vertices that shall remain.
    """
    triangles = np.array(triangles)
    used = len(np.unique(triangles))
    least, quadrics = round(kept * used), _quadrics(shapes, triangles)
    while used > least:
        removed, into = _cheapest(shapes, triangles, quadrics, used - least)
        if not len(removed):
            break
        quadrics[:, into] += quadrics[:, removed]  # no two of a round go to the same place
        target = np.arange(shapes.shape[1])
        target[removed] = into
        triangles = target[triangles]
        a, b, c = triangles.T
        triangles = triangles[(a != b) & (b != c) & (c != a)]
        used -= len(removed)
    return triangles


def distances(points: Floats, vertices: Floats, triangles: Integers) -> Floats:
    """(n,) meters from points (n, 3) to the nearest of the triangles, among those whose centers are near."""
    corners = vertices[triangles]
    near = min(_NEAR, len(triangles))
    _, candidates = cKDTree(corners.mean(axis=1)).query(points, range(1, near + 1))
    return np.min([_to_triangles(points, corners[candidates[:, rank]]) for rank in range(near)], axis=0)


def _facemesh(model: MorphableModel) -> MorphableModel:
    if not len(model.facemesh_triangle):
        raise BundleError(
            f"mesh_detail facemesh wants a face model with FaceMesh's points, {model.name!r} has none; "
            "choose full or decimated"
        )
    triangles = facemesh_triangles()
    return _of_points(model, lambda array: model.facemesh_points(array)[..., : triangles.max() + 1, :], triangles)


def _seen(model: MorphableModel) -> Integers:
    hidden = [number for number, name in enumerate(model.part_names) if name in HIDDEN_PARTS]
    return model.triangles[~np.isin(model.triangle_part, hidden)] if hidden else model.triangles


def _part(model: MorphableModel, triangles: Integers) -> MorphableModel:
    """The model of those vertices that the triangles use."""
    used, places = np.unique(triangles, return_inverse=True)
    parts = model.vertex_part[used] if len(model.vertex_part) else model.vertex_part
    part = _of_points(model, lambda array: array[..., used, :], places.reshape(-1, 3))
    return replace(part, part_names=model.part_names, vertex_part=parts)


def _of_points(model: MorphableModel, points: Callable[[Floats], Floats], triangles: Integers) -> MorphableModel:
    """A model of linear combinations of the vertices (..., V, 3) and nothing else of what a model knows."""
    bases = {name: np.ascontiguousarray(points(getattr(model, name))) for name in ("mean", "identity", "expression")}
    return replace(
        model,
        **cast(dict[str, Any], {name: array.astype(np.float32) for name, array in bases.items()}),
        triangles=triangles.astype(np.int32),
        uv=np.zeros((0, 2), np.float32),
        uv_triangles=np.zeros((0, 3), np.int32),
        part_names=(),
        vertex_part=np.zeros(0, np.uint8),
        mirror=np.zeros(0, np.int32),
        landmarks68=np.zeros(0, np.int32),
        facemesh_triangle=np.zeros(0, np.int32),
        facemesh_barycentric=np.zeros((0, 3), np.float32),
    )


def _shapes(model: MorphableModel) -> Floats:
    """(1 + _MOVING, V, 3): the mean face, and it with each of the expressions that move most."""
    strongest = np.argsort(-np.square(model.expression, dtype=np.float64).sum(axis=(1, 2)))[:_MOVING]
    return np.concatenate([model.mean[None], model.mean + model.expression[strongest]]).astype(np.float64)


def _quadrics(shapes: Floats, triangles: Integers) -> Floats:
    """(S, V, 4, 4): the squared distances from the planes of a vertex's triangles, weighted by their area."""
    a, b, c = (shapes[:, triangles[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    areas = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals /= np.maximum(areas, np.finfo(float).tiny)
    planes = np.concatenate([normals, -np.sum(normals * a, axis=-1, keepdims=True)], axis=-1)
    of_triangle = np.einsum("sti,stj,st->stij", planes, planes, areas[..., 0]).reshape(len(shapes), -1, 16)
    sums = _incidence(triangles, shapes.shape[1])
    return np.stack([sums @ one for one in of_triangle]).reshape(*shapes.shape[:2], 4, 4)


def _incidence(triangles: Integers, vertex_count: int) -> csr_matrix:
    rows, columns = triangles.ravel(), np.repeat(np.arange(len(triangles)), 3)
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(vertex_count, len(triangles)))


def _cheapest(shapes: Floats, triangles: Integers, quadrics: Floats, most: int) -> tuple[Integers, Integers]:
    """Vertices that may go and the neighbors that take their place; no two touch a common vertex."""
    count = shapes.shape[1]
    start, end = _collapsible(triangles, count)
    errors = np.sum([_errors(*one, start, end) for one in zip(shapes, quadrics, strict=True)], axis=0)
    order = np.lexsort((errors, start))
    first = order[np.unique(start[order], return_index=True)[1]]  # the cheapest neighbor of each vertex
    first = first[np.argsort(errors[first])][: max(1, round(_ROUND * len(first)))]
    cheap = first[~_turning(shapes, triangles, start[first], end[first])]
    rank = np.full(count, count)
    rank[start[cheap]] = np.arange(len(cheap))
    nearby = rank
    for _ in range(2):  # the least rank within two edges
        of_triangle, nearby = nearby[triangles].min(axis=1), nearby.copy()
        np.minimum.at(nearby, triangles, of_triangle[:, None])
    chosen = cheap[nearby[start[cheap]] == np.arange(len(cheap))][:most]
    return start[chosen], end[chosen]


def _errors(shape: Floats, quadrics: Floats, start: Integers, end: Integers) -> Floats:
    """(n,) of moving the vertex ``start`` to ``end`` in one shape (V, 3) with quadrics (V, 4, 4)."""
    place = np.column_stack([shape, np.ones(len(shape))])
    own = np.einsum("vi,vij,vj->v", place, quadrics, place)[end]
    at_end = place[end]
    moved = np.matmul(quadrics[start], at_end[:, :, None])[:, :, 0]
    return own + np.einsum("ni,ni->n", moved, at_end)


def _collapsible(triangles: Integers, count: int) -> tuple[Integers, Integers]:
    """Edges, in both directions, that can shrink to their end without a rim, a fold or a seam: the link condition."""
    rows, columns = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    sides = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=(count, count))
    sides = sides + sides.T  # triangles at each edge
    neighbors = sides.minimum(1)
    common = (neighbors @ neighbors).multiply(neighbors).tocoo()
    inside = np.ones(count, bool)
    odd = sides.tocoo()
    inside[odd.row[odd.data != 2]] = False
    good = (common.data == 2) & inside[common.row]
    return common.row[good], common.col[good]


def _turning(shapes: Floats, triangles: Integers, start: Integers, end: Integers) -> NDArray[np.bool_]:
    """Whether a triangle would turn over when ``start`` moves to ``end``, in any shape."""
    number = np.full(shapes.shape[1], -1)
    number[start] = np.arange(len(start))
    bad = np.zeros(len(start), bool)
    for corner in range(3):
        rows = np.flatnonzero(number[triangles[:, corner]] >= 0)
        before = triangles[rows]
        who = number[before[:, corner]]
        after = before.copy()
        after[:, corner] = end[who]
        left = (after[:, corner] != before[:, corner - 1]) & (after[:, corner] != before[:, corner - 2])
        cosines = _cosines(shapes, before[left], after[left])
        np.logical_or.at(bad, who[left], (cosines < _TURN).any(axis=0))
    return bad


def _cosines(shapes: Floats, before: Integers, after: Integers) -> Floats:
    """(S, n) between the normals of triangles (n, 3)."""
    normals = []
    for triangles in (before, after):
        a, b, c = (shapes[:, triangles[:, corner]] for corner in range(3))
        normals.append(np.cross(b - a, c - a))
    lengths = np.linalg.norm(normals[0], axis=-1) * np.linalg.norm(normals[1], axis=-1)
    return np.sum(normals[0] * normals[1], axis=-1) / np.maximum(lengths, np.finfo(float).tiny)


def _to_triangles(points: Floats, corners: Floats) -> Floats:
    """(n,) distances of points (n, 3) from one triangle (n, 3, 3) each: to its plane, or else to the nearest edge."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    to_edges = np.min([_to_segments(points, *edge) for edge in ((a, b), (b, c), (c, a))], axis=0)
    normals = np.cross(b - a, c - a)
    turns = [np.sum(np.cross(v - u, points - u) * normals, axis=1) for u, v in ((a, b), (b, c), (c, a))]
    inside = (np.min(turns, axis=0) >= 0) & (np.abs(normals).max(axis=1) > 0)
    lengths = np.maximum(np.linalg.norm(normals, axis=1), np.finfo(float).tiny)
    to_plane = np.abs(np.sum((points - a) * normals, axis=1)) / lengths
    return np.where(inside, to_plane, to_edges)


def _to_segments(points: Floats, start: Floats, end: Floats) -> Floats:
    along = end - start
    squared = np.maximum(np.sum(along**2, axis=1), np.finfo(float).tiny)
    place = np.clip(np.sum((points - start) * along, axis=1) / squared, 0, 1)
    return np.linalg.norm(points - start - place[:, None] * along, axis=1)
