"""Shading, blending and compositing of the rasterizer, against NumPy references."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.kernels import rasterizer
from face_expr_ros.kernels.rasterizer import Mesh, Shading, Target

SIZE = (48, 40)  # width, height


def one_triangle_mesh(**changes):
    fields = {
        "triangles": [[0, 1, 2]],
        "uv": [[0, 0], [0, 1], [1, 0]],
        "uv_triangles": [[0, 1, 2]],
        "materials": [0],
        "vertex_count": 3,
    }
    return Mesh(**{**fields, **changes})


def plain_shading(*, texture=None, diffuse=1.0, specular=0.0, normals=None, tint=None):
    lights = np.empty((1, 8, 8, 8), np.float32)
    lights[..., :4], lights[..., 4:] = diffuse, specular
    return Shading(
        normals=np.tile([0.0, 0.0, -1.0], (3, 1)) if normals is None else normals,
        tint=np.ones((3, 3)) if tint is None else tint,
        texture=np.full((4, 4, 4), 255, np.uint8) if texture is None else texture,
        lights=lights,
    )


BIG = np.array([[-100, -100, 1.0], [-100, 200, 1.0], [200, -100, 1.0]], np.float32)


def reference_shade(points, shading, x, y):
    """Shading of one sample of the triangle 0, 1, 2 with uv (0,0), (0,1), (1,0), by the formula of `shade`."""
    corners = points.astype(float)
    system = np.vstack([corners[:, :2].T, np.ones(3)])
    weights = np.linalg.solve(system, [x, y, 1.0]) / corners[:, 2]
    b = weights / weights.sum()
    texel = bilinear(shading.texture.astype(float), b @ [[0, 0], [0, 1], [1, 0]])
    normal = b @ shading.normals
    place = (normal / np.linalg.norm(normal))[:2] * 0.5 + 0.5
    size = shading.lights.shape[1]
    lit = bilinear(shading.lights[0].astype(float), (place * (size - 1) + 0.5) / size)
    linear = rasterizer.LINEAR[np.floor(texel[:3] + 0.5).astype(int)]
    return (b @ shading.tint) * (linear * lit[:3] + texel[3] / 255 * lit[4:7])


def bilinear(image, uv):
    height, width = image.shape[:2]
    x, y = np.clip([uv[0] * width - 0.5, uv[1] * height - 0.5], 0, [width - 1, height - 1])
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
    lower = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


@pytest.mark.parametrize("seed", range(3))
def test_shading_matches_the_numpy_reference(seed):
    rng = np.random.default_rng(seed)
    points = np.array([[-30, -20, 0.5], [-10, 90, 1.5], [120, -10, 2.5]], np.float32)
    shading = Shading(
        normals=rng.normal([0, 0, -2], 0.5, (3, 3)),
        tint=rng.uniform(0.2, 1, (3, 3)),
        texture=rng.integers(0, 256, (9, 7, 4), dtype=np.uint8),
        lights=rng.uniform(0, 1, (1, 8, 8, 8)).astype(np.float32),
    )
    target = Target(*SIZE, samples=2)
    mesh = one_triangle_mesh()
    rasterizer.draw(target, points, mesh.triangles)
    rasterizer.shade(target, points, mesh, shading)
    for x, y in [(3, 4), (20, 20), (33, 1), (0, 30)]:
        assert target.canvas[y, x, :3] == pytest.approx(reference_shade(points, shading, x, y), abs=2e-4)
        assert target.canvas[y, x, 3] == 1.0


def test_opacity_at_an_edge_is_the_fraction_of_covered_samples():
    points = np.array([[-100, -100, 1], [-100, 100, 1], [10, 100, 1], [10, -100, 1]], np.float32)
    mesh = Mesh([[0, 1, 2], [0, 2, 3]], [[0, 0]], [[0, 0, 0], [0, 0, 0]], [0, 0], 4)
    target = Target(*SIZE, samples=2)
    rasterizer.draw(target, points, mesh.triangles)
    shading = plain_shading()
    rasterizer.shade(
        target, points, mesh, Shading(np.tile([0, 0, -1.0], (4, 1)), np.ones((4, 3)), shading.texture, shading.lights)
    )
    assert target.canvas[20, 9:12, 3].tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_opacity_of_intersecting_triangles_is_at_most_1(seed):
    rng = np.random.default_rng(seed)
    count = 60
    points = np.column_stack([rng.uniform(-5, 45, (3 * count, 2)), rng.uniform(0.5, 1.5, 3 * count)]).astype(np.float32)
    triangles = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    mesh = Mesh(triangles, [[0, 0]], np.zeros_like(triangles), [0] * count, 3 * count)
    shading = plain_shading(normals=np.tile([0, 0, -1.0], (3 * count, 1)), tint=np.ones((3 * count, 3)))
    target = Target(*SIZE, samples=3)
    rasterizer.draw(target, points, mesh.triangles, cull=False)
    rasterizer.shade(target, points, mesh, shading)
    assert target.canvas[..., 3].max() == pytest.approx(1.0, abs=1e-5)


def test_compositing_matches_numpy_and_keeps_other_pixels():
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
def test_a_transparent_triangle_is_hidden_by_a_nearer_surface(depth, seen):
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    texture = np.full((2, 2, 4), 255, np.uint8)
    texture[..., 3] = 51
    rasterizer.blend(target, BIG * np.float32([1, 1, depth]), one_triangle_mesh(), plain_shading(texture=texture))
    assert target.canvas[20, 20] == pytest.approx([0.2 * seen] * 4, abs=1e-6)


def test_a_transparent_triangle_within_the_bias_is_visible():
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    rasterizer.blend(target, BIG * np.float32([1, 1, 1.005]), one_triangle_mesh(), plain_shading(), bias=0.01)
    assert target.canvas[20, 20, 3] == pytest.approx(1.0)


def test_invisible_triangles_are_neither_shaded_nor_blended():
    mesh = one_triangle_mesh()
    for corners in (BIG * np.nan, BIG * 0, -BIG, BIG + 1e6):
        target = Target(*SIZE)
        rasterizer.draw(target, corners, mesh.triangles)
        rasterizer.shade(target, corners, mesh, plain_shading())
        rasterizer.blend(target, corners, mesh, plain_shading())
        assert not target.canvas.any()


def test_normals_that_are_not_finite_give_finite_colors():
    target = Target(*SIZE)
    rasterizer.draw(target, BIG, [[0, 1, 2]])
    rasterizer.shade(target, BIG, one_triangle_mesh(), plain_shading(normals=np.full((3, 3), np.nan)))
    assert np.isfinite(target.canvas).all()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: one_triangle_mesh(uv=[[0, 0], [np.nan, 0], [0, 1]]), r"uv: expected finite"),
        (lambda: one_triangle_mesh(uv_triangles=[[0, 1, 3]]), r"uv_triangles: expected indices in 0..2"),
        (lambda: one_triangle_mesh(materials=[0, 0]), r"materials: expected the shape \(1\)"),
        (
            lambda: rasterizer.shade(Target(4, 4), BIG, one_triangle_mesh(materials=[3]), plain_shading()),
            r"material 3 of the mesh, got 1",
        ),
        (lambda: rasterizer.shade(Target(4, 4), BIG[:2], one_triangle_mesh(), plain_shading()), r"expected the shape"),
        (
            lambda: rasterizer.composite(Target(4, 4), np.zeros((4, 5, 3), np.uint8)),
            r"image: expected uint8 of the shape",
        ),
        (lambda: rasterizer.composite(Target(4, 4), np.zeros((4, 4, 3))), r"got float64"),
    ],
)
def test_invalid_arguments_of_shading_are_rejected(action, words):
    with pytest.raises(ValueError, match=words):
        action()
