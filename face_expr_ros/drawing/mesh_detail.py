"""A face model with fewer triangles for drawing: parts of the same mesh, so that all coefficients stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.facemesh_topology import facemesh_triangles
from face_expr_ros.kernels.decimation import decimated

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

HIDDEN_PARTS = ("eyelashes",)  # cards that need a texture's transparency
KEPT = 0.25  # of the vertices, in `decimated`
_MOVING = 3  # expressions that are looked at besides the mean face: those that move most
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
    check_mesh_detail(model, detail)
    if model.sparse:
        return model
    if detail == "facemesh":
        return _facemesh(model)
    triangles = _seen(model)
    if detail == "decimated":
        triangles = decimated(_shapes(model), triangles, KEPT)
    return model if triangles is model.triangles else _part(model, triangles)


def check_mesh_detail(model: MorphableModel, detail: str) -> None:
    """Raises BundleError if the model cannot be drawn with this detail; see `drawn_model`."""
    if detail == "facemesh" and not model.sparse and not len(model.facemesh_triangle):
        raise BundleError(
            f"mesh_detail facemesh: expected a face model with FaceMesh points, got {model.name!r} without; "
            "choose full or decimated"
        )


def landmark_model(model: MorphableModel) -> MorphableModel:
    """The model's landmarks alone: FaceMesh's 478 points, or where it does not have them the 68 iBUG points."""

    def points(array: Floats) -> Floats:
        return model.facemesh_points(array) if len(model.facemesh_triangle) else array[..., model.landmarks68, :]

    return _of_points(model, points, np.zeros((0, 3), np.int32))


def distances(points: Floats, vertices: Floats, triangles: Integers) -> Floats:
    """(n,) meters from points (n, 3) to the nearest of the triangles, among those whose centers are near."""
    corners = vertices[triangles]
    near = min(_NEAR, len(triangles))
    _, candidates = cKDTree(corners.mean(axis=1)).query(points, range(1, near + 1))
    return np.min([_to_triangles(points, corners[candidates[:, rank]]) for rank in range(near)], axis=0)


def _facemesh(model: MorphableModel) -> MorphableModel:
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
