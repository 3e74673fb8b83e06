"""Decimation keeps borders, ridges and topology; invalid meshes are rejected. Face models: test_mesh_outputs.py."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.decimation import decimated


def grid(side: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """(side^2, 3) points of a flat square and its triangles."""
    y, x = np.mgrid[0:side, 0:side].reshape(2, -1)
    corner = np.arange(side * side).reshape(side, side)[:-1, :-1].ravel()
    halves = [(corner, corner + 1, corner + side), (corner + 1, corner + side + 1, corner + side)]
    return np.column_stack([x, y, 0 * x]).astype(float), np.concatenate([np.column_stack(half) for half in halves])


def area(points: FloatArray, triangles: NDArray) -> float:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.3])
def test_a_flat_square_keeps_its_area_and_border(kept: float) -> None:
    points, triangles = grid(20)
    few = decimated(points[None], triangles, kept)
    assert len(np.unique(few)) == round(kept * 400)
    assert area(points, few) == pytest.approx(area(points, triangles))
    border = np.flatnonzero((points[:, :2].min(axis=1) == 0) | (points[:, :2].max(axis=1) == 19))
    assert set(border) <= set(few.ravel())


def test_border_vertices_are_never_removed() -> None:
    points, triangles = grid(10)
    assert len(np.unique(decimated(points[None], triangles, 0.0))) >= 36


def test_a_ridge_in_one_of_two_shapes_is_kept() -> None:
    points, triangles = grid(21)
    bent = points.copy()
    bent[:, 2] = np.abs(points[:, 0] - 10)
    few = decimated(np.stack([points, bent]), triangles, 0.35)
    ridge = np.flatnonzero(points[:, 0] == 10)
    corners = bent[few]
    assert area(bent, few) == pytest.approx(area(bent, triangles), rel=1e-6)
    assert not ((corners[..., 0].min(axis=1) < 10) & (corners[..., 0].max(axis=1) > 10)).any()
    assert len(set(ridge) & set(few.ravel())) < len(ridge)


def test_a_sphere_keeps_its_topology_and_winding() -> None:
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    triangles = ConvexHull(points).simplices
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    inward = np.einsum("nk,nk->n", np.cross(b - a, c - a), a) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    few = decimated(points[None], triangles, 0.2)
    assert len(few) == 2 * 400 - 4  # Euler's formula
    a, b, c = (points[few[:, corner]] for corner in range(3))
    assert (np.einsum("nk,nk->n", np.cross(b - a, c - a), a) > 0).all()


def test_empty_and_degenerate_meshes_are_accepted() -> None:
    points = np.zeros((1, 4, 3))
    assert decimated(points, np.zeros((0, 3), int), 0.5).shape == (0, 3)
    assert decimated(points, np.array([[0, 1, 1], [2, 2, 2]]), 0.5).shape == (0, 3)
    assert len(decimated(points, np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]), 0.5)) == 4


@pytest.mark.parametrize(
    ("shapes", "triangles", "words"),
    [
        (np.zeros((4, 3)), np.zeros((1, 3), int), "expected finite shapes"),
        (np.zeros((0, 4, 3)), np.zeros((1, 3), int), "expected finite shapes"),
        (np.full((1, 4, 3), np.nan), np.zeros((1, 3), int), "expected finite shapes"),
        (np.zeros((1, 4, 3)), np.zeros((1, 4), int), "triangles: expected"),
        (np.zeros((1, 4, 3)), np.zeros((1, 3)), "triangles: expected"),
        (np.zeros((1, 4, 3)), np.array([[0, 1, 4]]), r"0\.\.3, got 0\.\.4"),
        (np.zeros((1, 4, 3)), np.array([[0, 1, -1]]), r"0\.\.3, got -1\.\.1"),
    ],
)
def test_an_invalid_mesh_is_rejected(shapes: FloatArray, triangles: NDArray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decimated(shapes, triangles, 0.5)
