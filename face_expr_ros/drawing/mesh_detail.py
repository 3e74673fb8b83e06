"""A face model at a lower resolution for drawing; its vertices are a subset, so that coefficients stay the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.facemesh_topology import facemesh_triangles
from face_expr_ros.core.settings import ConfigError

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]

_NEAR = 24  # candidate triangles for the nearest point


def drawn_model(model: MorphableModel, detail: str) -> MorphableModel:
    """The part of a model that is drawn, as a model with the same coefficients.

    Args:
        model: with a surface; a sparse one is returned unchanged.
        detail: "full" is all except the eyelashes, "decimated" a quarter of its vertices, and "facemesh" the points and
            898 triangles of MediaPipe's FaceMesh on the model.

    Returns:
        The model without texture coordinates, mirror and landmarks; the given model if all of it is drawn.

    Raises:
        ConfigError: see `check_mesh_detail`.
    """
    check_mesh_detail(model, detail)
    if model.sparse:
        return model
    if detail == "facemesh":
        return _facemesh(model)
    triangles = model.decimated_triangles if detail == "decimated" else model.visible_triangles
    return model if triangles is model.triangles else _part(model, triangles)


def drawn_vertices(model: MorphableModel) -> NDArray[np.intp]:
    """The indices, in a model, of the vertices of its `drawn_model` with the detail "full", in their order."""
    return np.unique(model.visible_triangles).astype(np.intp)


def check_mesh_detail(model: MorphableModel, detail: str) -> None:
    """Check that a model can be drawn with a value of ``output.mesh_detail``; a sparse model is not drawn at all.

    Raises:
        ConfigError: the model has no FaceMesh points for "facemesh", or no decimated mesh for "decimated".
    """
    available = {
        "full": True,
        "decimated": len(model.decimated_triangles) > 0,
        "facemesh": len(model.facemesh_triangle) > 0,
    }
    if not model.sparse and not available[detail]:
        expected = " or ".join(name for name, is_available in available.items() if is_available)
        raise ConfigError(
            f"output.mesh_detail: expected {expected} for the face model {model.name!r}, got {detail!r}, "
            "which this model does not have"
        )


def landmark_model(model: MorphableModel) -> MorphableModel:
    """A model of the landmarks alone: FaceMesh's 478 points, or the 68 iBUG points if it does not have them."""

    def points(array: Floats) -> Floats:
        return model.facemesh_points(array) if len(model.facemesh_triangle) else array[..., model.landmarks68, :]

    return _of_points(model, points, np.zeros((0, 3), np.int32))


def distances(points: Floats, vertices: Floats, triangles: Integers) -> Floats:
    """(n,) distances of points (n, 3) to the nearest triangle, among those with the nearest centers, meters."""
    corners = vertices[triangles]
    near = min(_NEAR, len(triangles))
    centers = corners.mean(axis=1)
    blocks = np.array_split(points, len(points) // 256 + 1)
    return np.concatenate([_to_nearest(block, corners, centers, near) for block in blocks])


def _to_nearest(points: Floats, corners: Floats, centers: Floats, near: int) -> Floats:
    """(n,) distances of points (n, 3) to the nearest of the triangles (T, 3, 3) with the nearest centers (T, 3)."""
    squared = sum((points[:, k, None] - centers[None, :, k]) ** 2 for k in range(3))
    candidates = np.argpartition(squared, near - 1, axis=1)[:, :near]
    return np.min([_to_triangles(points, corners[candidates[:, rank]]) for rank in range(near)], axis=0)


def _facemesh(model: MorphableModel) -> MorphableModel:
    triangles = facemesh_triangles()
    return _of_points(model, lambda array: model.facemesh_points(array)[..., : triangles.max() + 1, :], triangles)


def _part(model: MorphableModel, triangles: Integers) -> MorphableModel:
    """The model of the vertices that the triangles use."""
    used, places = np.unique(triangles, return_inverse=True)
    parts = model.vertex_part[used] if len(model.vertex_part) else model.vertex_part
    part = _of_points(model, lambda array: array[..., used, :], places.reshape(-1, 3))
    return replace(part, part_names=model.part_names, vertex_part=parts)


def _of_points(model: MorphableModel, points: Callable[[Floats], Floats], triangles: Integers) -> MorphableModel:
    """A model of linear combinations of the vertices (..., V, 3), without parts, texture coordinates and landmarks."""
    bases = np.ascontiguousarray(points(model.bases), dtype=np.float32)  # one array, see MorphableModel.bases
    return replace(
        model,
        mean=np.ascontiguousarray(points(model.mean), dtype=np.float32),
        identity=bases[: len(model.identity)],
        expression=bases[len(model.identity) :],
        triangles=triangles.astype(np.int32),
        uv=np.zeros((0, 2), np.float32),
        uv_triangles=np.zeros((0, 3), np.int32),
        part_names=(),
        vertex_part=np.zeros(0, np.uint8),
        mirror=np.zeros(0, np.int32),
        landmarks68=np.zeros(0, np.int32),
        decimated_triangles=np.zeros((0, 3), np.int32),
        facemesh_triangle=np.zeros(0, np.int32),
        facemesh_barycentric=np.zeros((0, 3), np.float32),
        ibug_triangle=np.zeros(0, np.int32),
        ibug_barycentric=np.zeros((0, 3), np.float32),
        ibug_slide=np.zeros((0, 68, 3), np.float32),
    )


def _to_triangles(points: Floats, corners: Floats) -> Floats:
    """(n,) distances of points (n, 3) from one triangle (n, 3, 3) each: to its plane if inside, else to an edge."""
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
