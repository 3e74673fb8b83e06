"""Rendered heads: projection, occlusion, coverage, appearance, light and invalid arguments."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Camera, Pose
from face_expr_ros.drawing.lighting import MATERIALS, Light, light_maps
from face_expr_ros.drawing.projection import (
    bounding_box,
    facing_normals,
    to_pixels,
)
from face_expr_ros.kernels import rasterizer
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import studio_wall, unit_noise
from face_expr_ros.synthetic.normals import corner_operator, vertex_normals
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene, render_scene_with_coverage

SMALL = 256  # width of the texture in these tests, pixels
CENTER_BOUND = 0.05  # pixels between a rendered dot and where OpenCV projects it


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def renderer(model):
    return FaceRenderer(model, texture_width=SMALL)


def camera_of(width=320, height=240, **changes) -> Camera:
    camera = pinhole_camera(width, height, 40.0)
    return Camera(**{**vars(camera), **changes})


def pose_at(x=0.0, y=0.0, z=0.6, yaw=0.0, pitch=0.0, roll=0.0) -> Pose:
    return Pose(rotation_from_euler(yaw, pitch, roll), np.array([x, y, z]), True)


def changed(image, camera, seed=0):
    """(height, width) where an image differs from the studio wall."""
    return (image != studio_wall(camera.width, camera.height, seed)).any(axis=2)


@pytest.mark.parametrize("center", [(0.0, 0.0, 0.6), (0.13, -0.07, 0.8), (-0.11, 0.06, 0.45), (0.02, 0.01, 1.2)])
def test_small_square_is_rendered_where_opencv_projects_its_center(center):
    """The coverage of a small square that faces the camera has its centroid at the projected center."""
    camera = camera_of()
    side = 0.012
    corners = np.array(center) + side / 2 * np.array([[-1, -1, 0], [-1, 1, 0], [1, 1, 0], [1, -1, 0]])
    target = rasterizer.Target(camera.width, camera.height, samples=8)
    rasterizer.draw(target, to_pixels(corners, camera), [[0, 1, 2], [0, 2, 3]])
    covered = (target.index != rasterizer.EMPTY).reshape(camera.height, 8, camera.width, 8).mean(axis=(1, 3))
    y, x = np.mgrid[0 : camera.height, 0 : camera.width]
    centroid = np.array([(covered * x).sum(), (covered * y).sum()]) / covered.sum()
    flat = np.zeros(3)
    expected = cv2.projectPoints(np.array([center]), flat, flat, camera.matrix, None)[0].ravel()
    assert np.abs(centroid - expected).max() < CENTER_BOUND


def test_pupils_are_rendered_where_opencv_projects_the_eyeballs(model):
    """The dark pupils of a frontal head, compared with the projected front of the eyeballs."""
    camera = camera_of(960, 720)
    renderer = FaceRenderer(model, Appearance(iris=(200, 200, 200)), texture_width=512)
    pose = pose_at(0.03, -0.02, 0.5)
    image = renderer.render(model.mean, pose, camera)
    for side in ("left", "right"):
        ball = model.mean[model.part_vertices(f"{side}_eyeball")]
        front = ball[np.argmax(ball[:, 2])] @ pose.rotation.T + pose.position
        x, y = (front / front[2] @ camera.matrix.T)[:2]
        window = image[round(y) - 9 : round(y) + 10, round(x) - 9 : round(x) + 10].mean(axis=2)
        rows, columns = np.nonzero(window < np.percentile(window, 12))
        assert np.hypot(columns.mean() - 9, rows.mean() - 9) < 3.0, side


def test_rendering_is_reproducible_and_does_not_modify_its_arguments(model, renderer):
    camera, vertices = camera_of(), model.vertices()
    background = np.full((camera.height, camera.width, 3), 90, np.uint8)
    original = vertices.copy()
    first, second = (renderer.render(vertices, pose_at(), camera, background=background) for _ in range(2))
    assert (first == second).all()
    assert (vertices == original).all()
    assert (background == 90).all()
    assert first.dtype == np.uint8
    assert first.shape == (camera.height, camera.width, 3)


def test_coefficients_and_their_vertices_give_the_same_image(model, renderer):
    shape, expression = np.linspace(-1, 1, len(model.identity)), np.full(len(model.expression), 0.1)
    camera = camera_of()
    image = renderer.render((shape, expression), pose_at(), camera)
    assert (image == renderer.render(model.vertices(shape, expression), pose_at(), camera)).all()


def test_nearer_face_occludes_the_farther_one_in_any_order(model, renderer):
    camera = camera_of()
    other = FaceRenderer(renderer.model, Appearance(skin=(60, 80, 120), seed=3), texture_width=renderer.texture_width)
    near = SceneFace(renderer, model.mean, pose_at(z=0.5))
    far = SceneFace(other, model.mean, pose_at(x=0.03, z=0.8))
    image = render_scene([near, far], camera)
    assert np.abs(image.astype(int) - render_scene([far, near], camera)).max() <= 1
    alone = render_scene([near], camera)
    center = np.s_[100:140, 140:180]
    assert (image[center] == alone[center]).all()


def test_scene_without_faces_is_the_background():
    camera = camera_of()
    assert (render_scene([], camera) == studio_wall(camera.width, camera.height)).all()


@pytest.mark.parametrize("count", [0, 5, 2_500_000])
def test_noise_depends_on_the_generator_and_has_unit_deviation(count):
    first, again, other = (unit_noise(np.random.default_rng(seed), count) for seed in (1, 1, 2))
    assert first.shape == (count,)
    assert (first == again).all()
    if count:
        assert (first != other).any()
    if count > 1000:
        assert abs(first.mean()) < 0.005
        assert abs(first.std() - 1) < 0.005


@pytest.mark.parametrize("pose", [pose_at(z=-0.6), pose_at(x=5.0), pose_at(y=-5.0), pose_at(z=np.nan)])
def test_face_outside_the_view_leaves_the_background_unchanged(renderer, model, pose):
    camera = camera_of()
    assert not changed(renderer.render(model.mean, pose, camera), camera).any()


def test_face_cut_by_the_border_or_around_the_camera_is_rendered(renderer, model):
    camera = camera_of()
    for pose in (pose_at(x=-0.3), pose_at(y=0.25, z=0.4), pose_at(z=0.05)):
        assert changed(renderer.render(model.mean, pose, camera), camera).any()


def test_coverage_is_the_share_of_the_person_in_each_pixel(renderer, model):
    """In linear light, white and black backgrounds differ by the background's share; dim light avoids clipping."""
    camera, dim = camera_of(), Light(lamps=(), sky=(0.2, 0.2, 0.2))
    face = SceneFace(renderer, model.mean, pose_at())
    black, coverage = render_scene_with_coverage([face], camera, dim, np.zeros((240, 320, 3), np.uint8))
    white = render_scene([face], camera, dim, np.full((240, 320, 3), 255, np.uint8))
    background_share = rasterizer.LINEAR[white] - rasterizer.LINEAR[black]
    off = np.abs(background_share.min(axis=2) - (1 - coverage / 255)) > 0.02
    assert off.mean() < 0.001  # shares of parts at different depths in one pixel need not add up to one
    assert coverage.min() == 0
    assert coverage.max() == 255
    assert not render_scene_with_coverage([], camera)[1].any()


def test_random_appearance_is_reproducible_and_depends_on_the_seed():
    assert Appearance.random(4) == Appearance.random(4)
    assert len({Appearance.random(seed) for seed in range(20)}) == 20


def test_appearance_and_light_change_colors_but_not_the_outline(model, renderer):
    camera = camera_of()
    plain = renderer.render(model.mean, pose_at(), camera)
    other = FaceRenderer(
        renderer.model,
        Appearance(skin=(60, 80, 120), hair=(120, 120, 120), seed=9),
        texture_width=renderer.texture_width,
    )
    lit = renderer.render(model.mean, pose_at(), camera, light=Light.random(np.random.default_rng(1)))
    for image in (other.render(model.mean, pose_at(), camera), lit):
        assert np.abs(image.astype(int) - plain).max() > 20
        assert (changed(image, camera) == changed(plain, camera)).mean() > 0.995


def test_closed_lids_cover_the_eyeballs_and_an_open_mouth_is_dark(model, renderer):
    camera = camera_of(640, 480)
    names = model.expression_names
    neutral = renderer.render(model.mean, pose_at(), camera)

    def with_expression(**values):
        expression = np.array([values.get(name, 0.0) for name in names])
        return renderer.render(model.vertices(None, expression), pose_at(), camera)

    def brightness(image, point):
        x, y = (point / point[2] @ camera.matrix.T)[:2]
        return image[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].mean()

    pose = pose_at()
    eye = model.eye_center(model.mean, "left") @ pose.rotation.T + pose.position
    closed = with_expression(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    assert brightness(closed, eye) > brightness(neutral, eye) + 15
    mouth = model.mean[model.landmarks68[[62, 66]]].mean(axis=0) - np.array([0, 0.012, 0])
    opened = with_expression(jawOpen=1.0)
    assert brightness(opened, mouth @ pose.rotation.T + pose.position) < 90


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"camera": camera_of(distortion=np.array([0.1, 0, 0, 0, 0]))}, "expected a pinhole camera without distortion"),
        ({"background": np.zeros((10, 10, 3), np.uint8)}, r"background: expected uint8 of shape \(240, 320, 3\)"),
        ({"background": np.zeros((240, 320, 3))}, "got float64"),
    ],
)
def test_invalid_arguments_are_rejected_with_expected_and_actual(renderer, model, changes, words):
    arguments = {"camera": camera_of(), **changes}
    with pytest.raises(ValueError, match=words):
        renderer.render(model.mean, pose_at(), **arguments)


def test_vertex_normals_of_a_sphere_point_outwards():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    triangles = hull.simplices.copy()
    inward = np.einsum("tk,tk->t", np.cross(*_edges(points, triangles)), points[triangles].mean(axis=1)) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    normals = vertex_normals(points, triangles, corner_operator(triangles, len(points)))
    assert np.einsum("vk,vk->v", normals, points).min() > 0.95


def _edges(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return b - a, c - a


def test_normal_towards_the_camera_faces_it_at_any_position():
    points = np.array([[0.2, -0.1, 0.8], [0.0, 0.0, 0.5], [-0.1, 0.15, 1.0]])
    normals = -points / np.linalg.norm(points, axis=1, keepdims=True)
    facing = facing_normals(normals, points)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    assert np.abs(facing - [0, 0, -1]).max() < 0.02


def test_bounding_box_is_clipped_and_ignores_invalid_points():
    points = np.array([[-50, 5, 1], [20.2, 30.9, 1], [500, 500, -1], [np.nan, 3, 1]])
    assert bounding_box([points], 100, 100) == (0, 4, 23, 33)
    assert bounding_box([points[2:]], 100, 100) is None
    assert bounding_box([], 100, 100) is None


def test_light_comes_from_the_direction_of_the_lamp():
    lit = light_maps(Light(sky=(0, 0, 0), ground=(0, 0, 0)), size=33)
    assert lit.shape == (len(MATERIALS), 33, 33, 8)
    assert np.isfinite(lit).all()
    # The studio's key lamp is at the upper left.
    assert lit[0, 8, 8, :3].sum() > 2 * lit[0, 28, 16, :3].sum()
