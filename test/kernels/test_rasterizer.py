"""Drawing into the z-buffer, against a NumPy reference and against geometry computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.kernels import rasterizer
from face_expr_ros.kernels.rasterizer import EMPTY, Target

SIZE = (48, 40)  # width, height
# A compiler may fuse multiplications and additions: a sample on an edge may then belong to the other triangle.
MIN_AGREEMENT = 0.999


def reference_draw(points, triangles, width, height, *, cull=True):
    """The z-buffer as whole-image NumPy: one triangle at a time over all samples."""
    inverse_depth, index = np.zeros((height, width)), np.full((height, width), EMPTY)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    for number, triangle in enumerate(triangles):
        corners = np.asarray(points, np.float32)[triangle].astype(float)
        if not np.isfinite(corners).all() or (corners[:, 2] <= 0).any():
            continue
        (ax, ay), (bx, by), (cx, cy) = corners[:, :2]
        twice = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if twice == 0 or (cull and twice > 0):
            continue
        if twice < 0:
            corners = corners[[0, 2, 1]]
        covered, total = np.ones((height, width), bool), np.zeros((height, width))
        for corner in range(3):
            start, end = corners[(corner + 1) % 3, :2], corners[(corner + 2) % 3, :2]
            dx, dy = end - start
            weight = dx * (y - start[1]) - dy * (x - start[0])
            owns = dy < 0 or (dy == 0 and dx > 0)
            covered &= (weight >= 0) if owns else (weight > 0)
            total += weight / corners[corner, 2]
        inverse = total / abs(twice)
        nearer = covered & (inverse.astype(np.float32) > inverse_depth)
        inverse_depth[nearer], index[nearer] = inverse.astype(np.float32)[nearer], number
    return inverse_depth, index


def soup(rng, count, *, spread=60.0):
    """Random triangles in front of the camera, many of them partly outside the image."""
    points = np.column_stack([rng.uniform(-10, spread, (3 * count, 2)), rng.uniform(0.2, 2.0, 3 * count)])
    return points.astype(np.float32), np.arange(3 * count).reshape(-1, 3)


def agrees(points, triangles, **options):
    target = Target(*SIZE, samples=1)
    rasterizer.draw(target, points, triangles, **options)
    inverse_depth, index = reference_draw(points, triangles, *SIZE, **options)
    same = (target.index == index) & np.isclose(target.inverse_depth, inverse_depth, rtol=1e-5, atol=0)
    return same.mean() >= MIN_AGREEMENT


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_drawing_matches_the_numpy_reference(seed, cull):
    points, triangles = soup(np.random.default_rng(seed), 60)
    assert agrees(points, triangles, cull=cull)


@pytest.mark.parametrize(
    "corners",
    [
        pytest.param([[5, 5, 1], [20, 20, 1], [35, 35, 1]], id="zero area"),
        pytest.param([[9, 9, 1], [9, 9, 1], [9, 9, 1]], id="one point"),
        pytest.param([[np.nan, 5, 1], [5, 30, 1], [30, 5, 1]], id="NaN"),
        pytest.param([[5, 5, np.nan], [5, 30, 1], [30, 5, 1]], id="NaN depth"),
        pytest.param([[np.inf, 5, 1], [5, 30, 1], [30, 5, 1]], id="infinite"),
        pytest.param([[5, 5, np.inf], [5, 30, 1], [30, 5, 1]], id="infinitely far"),
        pytest.param([[5, 5, -1], [5, 30, -1], [30, 5, -1]], id="behind the camera"),
        pytest.param([[5, 5, 0], [5, 30, 1], [30, 5, 1]], id="one corner at the camera"),
        pytest.param([[500, 5, 1], [500, 30, 1], [530, 5, 1]], id="right of the image"),
        pytest.param([[-500, -5, 1], [-500, -30, 1], [-470, -35, 1]], id="left above the image"),
        pytest.param([[-1e30, -1e30, 1], [-1e30, 1e30, 1], [-1e29, 0, 1]], id="huge, outside"),
    ],
)
def test_invisible_triangles_draw_nothing(corners):
    target = Target(*SIZE)
    rasterizer.draw(target, np.array(corners), [[0, 1, 2]], cull=False)
    assert (target.index == EMPTY).all()
    assert not target.inverse_depth.any()


def test_a_huge_triangle_covers_the_whole_image():
    points = np.array([[-1e30, -1e30, 2.0], [-1e30, 3e30, 2.0], [3e30, -1e30, 2.0]])
    depth, index = rasterizer.depth_map(points, [[0, 1, 2]], *SIZE)
    assert (index == 0).all()
    assert np.allclose(depth, 2.0)


def test_no_triangles_and_no_points_draw_nothing():
    depth, index = rasterizer.depth_map(np.zeros((0, 3)), np.zeros((0, 3), int), *SIZE)
    assert np.isinf(depth).all()
    assert (index == EMPTY).all()


def test_an_image_of_size_zero_is_accepted():
    points, triangles = soup(np.random.default_rng(0), 3)
    assert rasterizer.depth_map(points, triangles, 0, 0)[0].shape == (0, 0)


@pytest.mark.parametrize("size", [SIZE, (20, 30), (100, 100), (0, 0)])
def test_a_target_that_reuses_memory_starts_empty(size):
    points, triangles = soup(np.random.default_rng(0), 9)
    used = Target(*SIZE)
    rasterizer.draw(used, points, triangles)
    used.canvas[:] = 1
    fresh = Target(*size, reuse=used)
    assert fresh.canvas.shape == (size[1], size[0], 4)
    assert not fresh.canvas.any()
    assert not fresh.inverse_depth.any()
    assert (fresh.index == EMPTY).all()


def test_the_pixel_at_an_integer_position_is_centered_there():
    depth, index = rasterizer.depth_map(
        np.array([[9.6, 6.6, 1], [9.6, 8.4, 1], [11.4, 6.6, 1]], np.float32), [[0, 1, 2]], *SIZE
    )
    assert [tuple(p) for p in np.argwhere(index == 0)] == [(7, 10)]
    assert depth[7, 10] == 1.0


def test_triangles_that_share_an_edge_cover_each_sample_once():
    points = np.array([[4, 4, 1], [4, 30, 1], [30, 30, 1], [30, 4, 1]], np.float32)
    counts = [(rasterizer.depth_map(points, [t], *SIZE)[1] == 0).astype(int) for t in ([0, 1, 2], [0, 2, 3])]
    together = sum(counts)
    assert together.max() == 1
    assert together.sum() == 26 * 26


@pytest.mark.parametrize("seed", range(5))
def test_a_fan_of_triangles_covers_each_sample_once(seed):
    """Edges of every slope that end between samples: no sample is missed or covered twice."""
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 12))
    center = np.array([23.37, 19.81]) + rng.uniform(-1, 1, 2)
    rim = center + 300 * np.column_stack([np.cos(turn), np.sin(turn)])
    points = np.column_stack([np.vstack([center, rim]), np.ones(13)])
    fan = [[0, 1 + n, 1 + (n + 1) % 12] for n in range(12)]
    covered = np.sum([rasterizer.depth_map(points, [t], *SIZE, cull=False)[1] == 0 for t in fan], axis=0)
    assert (covered == 1).all()


def test_depth_is_exact_on_an_inclined_plane():
    """The plane z = 1 + x in camera coordinates under focal length 40 px: 1/z = 1 - x_pixel / 40."""
    x, y = np.array([0.0, 0.0, 0.6, 0.6]), np.array([0.0, 0.9, 0.9, 0.0])
    points = np.column_stack([40 * x / (1 + x), 40 * y / (1 + x), 1 + x])
    depth, index = rasterizer.depth_map(points, [[0, 1, 2], [0, 2, 3]], *SIZE)
    rows, columns = np.nonzero(index != EMPTY)
    assert len(rows) > 300
    assert np.allclose(depth[rows, columns], 1 / (1 - columns / 40), rtol=1e-5)


def test_a_clockwise_triangle_is_culled():
    points = np.array([[5, 5, 1], [5, 30, 1], [30, 5, 1]], np.float32)
    assert (rasterizer.depth_map(points, [[0, 1, 2]], *SIZE)[1] == 0).any()
    assert (rasterizer.depth_map(points, [[0, 2, 1]], *SIZE)[1] == EMPTY).all()
    assert (rasterizer.depth_map(points, [[0, 2, 1]], *SIZE, cull=False)[1] == 0).any()


def test_vertices_behind_a_surface_or_outside_the_image_are_not_visible():
    plate = np.array([[0, 0, 1], [0, 39, 1], [39, 39, 1], [39, 0, 1]], np.float32)
    depth, _ = rasterizer.depth_map(plate, [[0, 1, 2], [0, 2, 3]], *SIZE)
    points = np.array(
        [[10, 10, 1.0], [10, 10, 1.1], [10, 10, 0.9], [45, 10, 5], [-3, 10, 1], [np.nan, 1, 1], [9, 9, -1]]
    )
    assert rasterizer.visible_vertices(points, depth).tolist() == [True, False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: rasterizer.depth_map(np.zeros((3, 2)), [[0, 1, 2]], 4, 4), r"points: expected the shape \(n, 3\)"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0, 1, 3]], 4, 4), r"expected indices in 0..2, got 0..3"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0, -1, 2]], 4, 4), r"triangles: expected indices in 0..2"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0.5, 1, 2]], 4, 4), r"triangles: expected integers"),
        (lambda: Target(4, 4, samples=9), r"1..8 samples"),
        (lambda: Target(-4, 4), r"at least 0"),
    ],
)
def test_invalid_arguments_of_drawing_are_rejected(action, words):
    with pytest.raises(ValueError, match=words):
        action()
