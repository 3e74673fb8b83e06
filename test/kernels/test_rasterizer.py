"""The rasterizer against a NumPy twin and against geometry that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.kernels import rasterizer
from face_expr_ros.kernels.rasterizer import EMPTY, Look, Mesh, Target

SIZE = (48, 40)  # width, height
# A compiler may fuse multiplications and additions: a sample that lies on an edge within rounding may change hands.
MOST_SAMPLES = 0.999


def twin_draw(points, triangles, width, height, *, cull=True):
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
    inverse_depth, index = twin_draw(points, triangles, *SIZE, **options)
    same = (target.index == index) & np.isclose(target.inverse_depth, inverse_depth, rtol=1e-5, atol=0)
    return same.mean() >= MOST_SAMPLES


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_draws_what_the_numpy_twin_draws(seed, cull):
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
        pytest.param([[5, 5, 0], [5, 30, 1], [30, 5, 1]], id="one corner in the camera"),
        pytest.param([[500, 5, 1], [500, 30, 1], [530, 5, 1]], id="right of the image"),
        pytest.param([[-500, -5, 1], [-500, -30, 1], [-470, -35, 1]], id="left above the image"),
        pytest.param([[-1e30, -1e30, 1], [-1e30, 1e30, 1], [-1e29, 0, 1]], id="huge, outside"),
    ],
)
def test_what_cannot_be_seen_draws_nothing(corners):
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


def test_an_image_of_no_size_is_drawn_into_without_complaint():
    points, triangles = soup(np.random.default_rng(0), 3)
    assert rasterizer.depth_map(points, triangles, 0, 0)[0].shape == (0, 0)


@pytest.mark.parametrize("size", [SIZE, (20, 30), (100, 100), (0, 0)])
def test_a_target_in_the_memory_of_another_one_starts_empty(size):
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


def test_two_triangles_that_share_an_edge_own_each_sample_once():
    points = np.array([[4, 4, 1], [4, 30, 1], [30, 30, 1], [30, 4, 1]], np.float32)
    counts = [(rasterizer.depth_map(points, [t], *SIZE)[1] == 0).astype(int) for t in ([0, 1, 2], [0, 2, 3])]
    together = sum(counts)
    assert together.max() == 1
    assert together.sum() == 26 * 26


@pytest.mark.parametrize("seed", range(5))
def test_a_fan_of_triangles_covers_each_sample_once(seed):
    """Edges at every slope, their ends between the samples: no sample is left out or owned twice."""
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 12))
    center = np.array([23.37, 19.81]) + rng.uniform(-1, 1, 2)
    rim = center + 300 * np.column_stack([np.cos(turn), np.sin(turn)])
    points = np.column_stack([np.vstack([center, rim]), np.ones(13)])
    fan = [[0, 1 + n, 1 + (n + 1) % 12] for n in range(12)]
    covered = np.sum([rasterizer.depth_map(points, [t], *SIZE, cull=False)[1] == 0 for t in fan], axis=0)
    assert (covered == 1).all()


def test_depth_is_exact_on_a_plane_seen_in_perspective():
    """The plane z = 1 + x in camera coordinates under focal length 40 px: 1/z = 1 - x_pixel / 40."""
    x, y = np.array([0.0, 0.0, 0.6, 0.6]), np.array([0.0, 0.9, 0.9, 0.0])
    points = np.column_stack([40 * x / (1 + x), 40 * y / (1 + x), 1 + x])
    depth, index = rasterizer.depth_map(points, [[0, 1, 2], [0, 2, 3]], *SIZE)
    rows, columns = np.nonzero(index != EMPTY)
    assert len(rows) > 300
    assert np.allclose(depth[rows, columns], 1 / (1 - columns / 40), rtol=1e-5)


def test_a_triangle_wound_clockwise_is_culled():
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


def one_triangle_mesh(**changes):
    fields = {
        "triangles": [[0, 1, 2]],
        "uv": [[0, 0], [0, 1], [1, 0]],
        "uv_triangles": [[0, 1, 2]],
        "materials": [0],
        "vertex_count": 3,
    }
    return Mesh(**{**fields, **changes})


def plain_look(*, texture=None, diffuse=1.0, specular=0.0, normals=None, tint=None):
    lights = np.empty((1, 8, 8, 8), np.float32)
    lights[..., :4], lights[..., 4:] = diffuse, specular
    return Look(
        normals=np.tile([0.0, 0.0, -1.0], (3, 1)) if normals is None else normals,
        tint=np.ones((3, 3)) if tint is None else tint,
        texture=np.full((4, 4, 4), 255, np.uint8) if texture is None else texture,
        lights=lights,
    )


BIG = np.array([[-100, -100, 1.0], [-100, 200, 1.0], [200, -100, 1.0]], np.float32)


def twin_shade(points, look, x, y):
    """Shading of one sample of the triangle 0, 1, 2 with uv (0,0), (0,1), (1,0), as the docstring of `shade` says."""
    corners = points.astype(float)
    system = np.vstack([corners[:, :2].T, np.ones(3)])
    weights = np.linalg.solve(system, [x, y, 1.0]) / corners[:, 2]
    b = weights / weights.sum()
    texel = bilinear(look.texture.astype(float), b @ [[0, 0], [0, 1], [1, 0]])
    normal = b @ look.normals
    place = (normal / np.linalg.norm(normal))[:2] * 0.5 + 0.5
    size = look.lights.shape[1]
    lit = bilinear(look.lights[0].astype(float), (place * (size - 1) + 0.5) / size)
    linear = rasterizer.LINEAR[np.floor(texel[:3] + 0.5).astype(int)]
    return (b @ look.tint) * (linear * lit[:3] + texel[3] / 255 * lit[4:7])


def bilinear(image, uv):
    height, width = image.shape[:2]
    x, y = np.clip([uv[0] * width - 0.5, uv[1] * height - 0.5], 0, [width - 1, height - 1])
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
    lower = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


@pytest.mark.parametrize("seed", range(3))
def test_shading_equals_its_numpy_twin(seed):
    rng = np.random.default_rng(seed)
    points = np.array([[-30, -20, 0.5], [-10, 90, 1.5], [120, -10, 2.5]], np.float32)
    look = Look(
        normals=rng.normal([0, 0, -2], 0.5, (3, 3)),
        tint=rng.uniform(0.2, 1, (3, 3)),
        texture=rng.integers(0, 256, (9, 7, 4), dtype=np.uint8),
        lights=rng.uniform(0, 1, (1, 8, 8, 8)).astype(np.float32),
    )
    target = Target(*SIZE, samples=2)
    mesh = one_triangle_mesh()
    rasterizer.draw(target, points, mesh.triangles)
    rasterizer.shade(target, points, mesh, look)
    for x, y in [(3, 4), (20, 20), (33, 1), (0, 30)]:
        assert target.canvas[y, x, :3] == pytest.approx(twin_shade(points, look, x, y), abs=2e-4)
        assert target.canvas[y, x, 3] == 1.0


def test_an_edge_pixel_takes_the_share_of_its_covered_samples():
    points = np.array([[-100, -100, 1], [-100, 100, 1], [10, 100, 1], [10, -100, 1]], np.float32)
    mesh = Mesh([[0, 1, 2], [0, 2, 3]], [[0, 0]], [[0, 0, 0], [0, 0, 0]], [0, 0], 4)
    target = Target(*SIZE, samples=2)
    rasterizer.draw(target, points, mesh.triangles)
    look = plain_look()
    rasterizer.shade(
        target, points, mesh, Look(np.tile([0, 0, -1.0], (4, 1)), np.ones((4, 3)), look.texture, look.lights)
    )
    assert target.canvas[20, 9:12, 3].tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_no_pixel_of_crossing_triangles_becomes_more_than_opaque(seed):
    rng = np.random.default_rng(seed)
    count = 60
    points = np.column_stack([rng.uniform(-5, 45, (3 * count, 2)), rng.uniform(0.5, 1.5, 3 * count)]).astype(np.float32)
    triangles = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    mesh = Mesh(triangles, [[0, 0]], np.zeros_like(triangles), [0] * count, 3 * count)
    look = plain_look(normals=np.tile([0, 0, -1.0], (3 * count, 1)), tint=np.ones((3 * count, 3)))
    target = Target(*SIZE, samples=3)
    rasterizer.draw(target, points, mesh.triangles, cull=False)
    rasterizer.shade(target, points, mesh, look)
    assert target.canvas[..., 3].max() == pytest.approx(1.0, abs=1e-5)


def test_compositing_equals_its_numpy_twin_and_leaves_the_rest_alone():
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    target = Target(*SIZE)
    target.canvas[5:20, 5:20, 3] = rng.uniform(0.1, 1, (15, 15))
    target.canvas[5:20, 5:20, :3] = rng.uniform(0, 1, (15, 15, 3)) * target.canvas[5:20, 5:20, 3:]
    light = target.canvas[..., :3] + (1 - target.canvas[..., 3:]) * rasterizer.LINEAR[image]
    expected = rasterizer.ENCODED[np.round(np.clip(light, 0, 1) * (len(rasterizer.ENCODED) - 1)).astype(int)]
    before = image.copy()
    rasterizer.composite(target, image)
    drawn = target.canvas[..., 3] > 0
    assert np.abs(image[drawn].astype(int) - expected[drawn]).max() <= 1
    assert (image[~drawn] == before[~drawn]).all()


@pytest.mark.parametrize(("depth", "seen"), [(0.5, True), (1.5, False)])
def test_a_see_through_triangle_is_hidden_by_what_is_nearer(depth, seen):
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    texture = np.full((2, 2, 4), 255, np.uint8)
    texture[..., 3] = 51
    rasterizer.blend(target, BIG * np.float32([1, 1, depth]), one_triangle_mesh(), plain_look(texture=texture))
    assert target.canvas[20, 20] == pytest.approx([0.2 * seen] * 4, abs=1e-6)


def test_a_see_through_triangle_just_behind_the_surface_shows_within_the_bias():
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    rasterizer.blend(target, BIG * np.float32([1, 1, 1.005]), one_triangle_mesh(), plain_look(), bias=0.01)
    assert target.canvas[20, 20, 3] == pytest.approx(1.0)


def test_degenerate_and_lost_triangles_are_shaded_and_blended_without_harm():
    mesh = one_triangle_mesh()
    for corners in (BIG * np.nan, BIG * 0, -BIG, BIG + 1e6):
        target = Target(*SIZE)
        rasterizer.draw(target, corners, mesh.triangles)
        rasterizer.shade(target, corners, mesh, plain_look())
        rasterizer.blend(target, corners, mesh, plain_look())
        assert not target.canvas.any()


def test_normals_that_are_not_finite_still_give_finite_colors():
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    rasterizer.shade(target, BIG, one_triangle_mesh(), plain_look(normals=np.full((3, 3), np.nan)))
    assert np.isfinite(target.canvas).all()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: rasterizer.depth_map(np.zeros((3, 2)), [[0, 1, 2]], 4, 4), r"points: expected the shape \(n, 3\)"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0, 1, 3]], 4, 4), r"expected indices in 0..2, got 0..3"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0, -1, 2]], 4, 4), r"triangles: expected indices in 0..2"),
        (lambda: rasterizer.depth_map(np.zeros((3, 3)), [[0.5, 1, 2]], 4, 4), r"triangles: expected integers"),
        (lambda: Target(4, 4, samples=9), r"1..8 samples"),
        (lambda: Target(-4, 4), r"at least 0"),
        (lambda: one_triangle_mesh(uv=[[0, 0], [np.nan, 0], [0, 1]]), r"uv: expected finite"),
        (lambda: one_triangle_mesh(uv_triangles=[[0, 1, 3]]), r"uv_triangles: expected indices in 0..2"),
        (lambda: one_triangle_mesh(materials=[0, 0]), r"materials: expected the shape \(1\)"),
        (
            lambda: rasterizer.shade(Target(4, 4), BIG, one_triangle_mesh(materials=[3]), plain_look()),
            r"material 3 of the mesh, got 1",
        ),
        (lambda: rasterizer.shade(Target(4, 4), BIG[:2], one_triangle_mesh(), plain_look()), r"expected the shape"),
        (
            lambda: rasterizer.composite(Target(4, 4), np.zeros((4, 5, 3), np.uint8)),
            r"image: expected uint8 of the shape",
        ),
        (lambda: rasterizer.composite(Target(4, 4), np.zeros((4, 4, 3))), r"got float64"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(action, words):
    with pytest.raises(ValueError, match=words):
        action()
