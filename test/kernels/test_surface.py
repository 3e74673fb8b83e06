"""Vertices and normals against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.kernels.surface import reconstruct, vertex_normals


def normals_in_numpy(vertices: NDArray, triangles: NDArray) -> NDArray:
    normals = np.zeros(vertices.shape)
    a, b, c = (vertices[triangles[:, corner]].astype(np.float64) for corner in range(3))
    np.add.at(normals, triangles, np.cross(b - a, c - a)[:, None])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


@pytest.mark.parametrize("size", [0, 1, 3, 2047, 2048, 2049, 15624])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 92])
def test_a_reconstruction_matches_numpy(count: int, size: int) -> None:
    rng = np.random.default_rng(count)
    mean, basis = rng.normal(size=size).astype(np.float32), rng.normal(size=(count, size)).astype(np.float32)
    for coefficients in (rng.normal(size=count), np.maximum(rng.normal(size=count), 0.0), np.zeros(count)):
        expected = mean + coefficients @ basis.astype(np.float64)
        np.testing.assert_allclose(reconstruct(mean, basis, coefficients), expected, rtol=0, atol=2e-5)


def test_changing_the_result_does_not_change_the_mean() -> None:
    mean = np.ones(5, np.float32)
    reconstruct(mean, np.zeros((2, 5), np.float32), np.zeros(2))[:] = 7.0
    assert (mean == 1.0).all()


@pytest.mark.parametrize(
    ("mean", "basis", "coefficients"),
    [
        (np.zeros(5, np.float32), np.zeros((2, 4), np.float32), np.zeros(2)),
        (np.zeros(5, np.float32), np.zeros((2, 5), np.float32), np.zeros(3)),
        (np.zeros(5), np.zeros((2, 5), np.float32), np.zeros(2)),
        (np.zeros(5, np.float32), np.zeros((5, 2), np.float32).T, np.zeros(2)),
    ],
)
def test_inconsistent_shapes_and_types_are_rejected(mean: NDArray, basis: NDArray, coefficients: NDArray) -> None:
    with pytest.raises(ValueError, match="expected float32"):
        reconstruct(mean, basis, coefficients)


@pytest.mark.parametrize("seed", range(4))
def test_normals_match_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(50, 3)).astype(np.float32)
    triangles = rng.integers(0, 45, (70, 3))  # some with a vertex twice, some vertices without any
    np.testing.assert_allclose(vertex_normals(vertices, triangles), normals_in_numpy(vertices, triangles), atol=2e-5)


def test_normals_without_triangles_or_area_are_zero() -> None:
    assert not vertex_normals(np.ones((4, 3)), np.zeros((0, 3), int)).any()
    assert not vertex_normals(np.ones((4, 3)), np.array([[0, 1, 2], [3, 3, 3]])).any()
    assert vertex_normals(np.zeros((0, 3)), np.zeros((0, 3), int)).shape == (0, 3)


@pytest.mark.parametrize(
    ("vertices", "triangles", "words"),
    [
        (np.zeros((4, 2)), np.zeros((1, 3), int), "expected vertices"),
        (np.zeros((4, 3)), np.zeros((1, 2), int), r"expected the shape \(n, 3\)"),
        (np.zeros((4, 3)), np.array([[0, 1, 4]]), r"0\.\.3, got 0\.\.4"),
        (np.zeros((4, 3)), np.array([[0, 1, -1]]), r"0\.\.3, got -1\.\.1"),
    ],
)
def test_an_invalid_mesh_is_rejected(vertices: NDArray, triangles: NDArray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        vertex_normals(vertices, triangles)
