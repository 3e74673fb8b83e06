"""Edge cases of the kernels: empty, degenerate and non-finite input, non-contiguous arrays, indices out of range."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from face_expr_ros.kernels.cholesky import partial_cholesky
from face_expr_ros.kernels.decimation import decimated
from face_expr_ros.kernels.rasterizer import depth_map
from face_expr_ros.kernels.surface import reconstruct, vertex_normals
from face_expr_ros.kernels.unit_box import solve_unit_box

SEEDS = pytest.mark.parametrize("seed", range(5))

# Factorization, and the problem bounded to 0..1


def test_an_empty_matrix_has_an_empty_factor() -> None:
    assert partial_cholesky(np.zeros((0, 0)), 0).shape == (0, 0)


def test_only_the_upper_triangle_of_a_matrix_is_read() -> None:
    columns = np.random.default_rng(0).normal(size=(9, 6))
    whole = columns.T @ columns
    upper = np.where(np.triu(np.ones((6, 6), bool)), whole, np.nan)
    np.testing.assert_array_equal(np.triu(partial_cholesky(upper, 4)), np.triu(partial_cholesky(whole, 4)))


@SEEDS
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_the_bounded_solution_matches_scipy(seed: int, spread: float) -> None:
    """Compared with SciPy's bounded least squares, for unknowns of different scales."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(30, 12)) * spread ** rng.uniform(0, 1, 12)
    target = columns @ rng.uniform(-0.5, 1.5, 12)
    found = solve_unit_box(columns.T @ columns, columns.T @ target)
    best = lsq_linear(columns, target, (0.0, 1.0), method="bvls").x

    def cost(point: NDArray) -> float:
        return float(np.square(columns @ point - target).sum())

    assert cost(found) <= cost(best) + 1e-6 * float(target @ target)
    assert (found >= 0).all()
    assert (found <= 1).all()


@pytest.mark.parametrize(("pull", "end"), [(-5.0, 0.0), (0.0, 0.0), (5.0, 1.0)])
@pytest.mark.parametrize("start", [None, 0.0, 0.3, 1.0])
def test_unknowns_with_an_optimum_out_of_range_end_at_the_bound(pull: float, end: float, start: float | None) -> None:
    begin = None if start is None else np.full(4, start)
    assert solve_unit_box(np.eye(4), np.full(4, pull), begin) == pytest.approx(np.full(4, end), abs=1e-9)


# The surface


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_coefficient_that_is_not_finite_affects_every_value(value: float) -> None:
    found = reconstruct(np.zeros(9, np.float32), np.ones((5, 9), np.float32), np.array([0.0, value, 0, 0, 1]))
    assert not np.isfinite(found).any()


def test_arrays_that_are_not_contiguous_are_accepted() -> None:
    rng = np.random.default_rng(2)
    wide, basis = rng.normal(size=(2, 20)).astype(np.float32), rng.normal(size=(3, 10)).astype(np.float32)
    np.testing.assert_array_equal(
        reconstruct(wide[0, ::2], basis, [1, 0, 2]), reconstruct(wide[0, ::2].copy(), basis, [1, 0, 2])
    )
    vertices, triangles = rng.normal(size=(9, 3)), rng.integers(0, 9, (8, 6))
    np.testing.assert_array_equal(
        vertex_normals(vertices, triangles[:, ::2]), vertex_normals(vertices, triangles[:, ::2].copy())
    )


def test_a_nan_vertex_affects_only_the_normals_of_its_triangles() -> None:
    vertices = np.random.default_rng(3).normal(size=(6, 3))
    vertices[0] = np.nan
    normals = vertex_normals(vertices, np.array([[0, 1, 2], [3, 4, 5]]))
    assert np.isnan(normals).any(axis=1).tolist() == [True, True, True, False, False, False]


# Decimation


@SEEDS
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_decimation_of_random_triangles_gives_valid_triangles(seed: int, kept: float) -> None:
    """Random triangles: edges with many triangles, duplicates, coincident vertices, and unused vertices."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, 60, 3)).round(1)
    triangles = rng.integers(0, 50, (120, 3))
    triangles[100:] = triangles[:20]
    left = decimated(points, triangles, kept)
    assert set(left.ravel().tolist()) <= set(triangles.ravel().tolist())
    assert len(left) <= len(triangles)
    assert all(len(set(row)) == 3 for row in left.tolist())


def test_vertices_are_removed_from_each_of_two_surfaces() -> None:
    """Two separate closed surfaces."""
    points, triangles = octahedron(3)
    both = np.concatenate([triangles, triangles + len(points)])
    left = decimated(np.concatenate([points, points + 5.0])[None], both, 0.3)
    counts = [len(np.unique(left[left < len(points)])), len(np.unique(left[left >= len(points)]))]
    assert sum(counts) == round(0.3 * 2 * len(points))
    for count, sheet in zip(
        counts, (left[left.max(axis=1) < len(points)], left[left.min(axis=1) >= len(points)]), strict=True
    ):
        assert len(sheet) == 2 * count - 4  # Euler's formula


def octahedron(splits: int) -> tuple[NDArray, NDArray]:
    """Points of a sphere and its triangles; each split divides a triangle into four."""
    points = np.concatenate([np.eye(3), -np.eye(3)])
    triangles = np.array([[0, 1, 2], [0, 2, 4], [0, 4, 5], [0, 5, 1], [3, 2, 1], [3, 4, 2], [3, 5, 4], [3, 1, 5]])
    for _ in range(splits):
        edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1).reshape(-1, 2)
        ends, places = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = (len(points) + places.reshape(-1, 3)).T
        points = np.concatenate([points, points[ends].sum(axis=1)])
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        a, b, c = triangles.T
        triangles = np.concatenate(
            [np.column_stack(part) for part in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    return points, triangles


# Indices


@pytest.mark.parametrize("far", [2**32, 2**31, -(2**32), 3])
def test_an_index_out_of_range_is_rejected_without_overflow(far: int) -> None:
    triangles = np.array([[0, 1, far]])
    with pytest.raises(ValueError, match=r"triangles: expected indices in 0\.\.2"):
        vertex_normals(np.zeros((3, 3)), triangles)
    with pytest.raises(ValueError, match=r"triangles: expected indices in 0\.\.2"):
        decimated(np.zeros((1, 3, 3)), triangles, 0.5)
    with pytest.raises(ValueError, match=r"triangles: expected indices in 0\.\.2"):
        depth_map(np.zeros((3, 3)), triangles, 4, 4)


def test_indices_that_are_not_integers_are_rejected() -> None:
    with pytest.raises(ValueError, match="triangles: expected integers"):
        vertex_normals(np.zeros((3, 3)), np.array([[0.0, 1.0, 1.5]]))


@pytest.mark.parametrize("kept", [-0.1, 1.1, np.nan])
def test_a_fraction_out_of_range_is_rejected(kept: float) -> None:
    with pytest.raises(ValueError, match=r"expected a fraction in 0\.\.1"):
        decimated(np.zeros((1, 3, 3)), np.array([[0, 1, 2]]), kept)
