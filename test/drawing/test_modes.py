"""All drawing modes, with faces of known position, depth and color."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from face_expr_ros.core.config import DRAW_MODES
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.geometry import (
    bounding_box,
    pinhole_camera,
    pixels_with_depth,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Frame, Pose
from face_expr_ros.drawing import modes, surface
from face_expr_ros.drawing.depth import normalized_coordinates
from face_expr_ros.drawing.modes import check_mode, draw, draw_in_frame
from face_expr_ros.drawing.projection import fit_in_image, fit_pixels
from face_expr_ros.models.bundle import open_face_model

WIDTH, HEIGHT = 640, 480
DENSE_MODES = [mode for mode in DRAW_MODES if mode not in ("annotated", "2d_sparse", "pose")]


@pytest.fixture(scope="module")
def model():
    return open_face_model("open")


@pytest.fixture(scope="module")
def basel_like():
    """A face model with only a surface, as the Basel Face Model: a shallow bowl of 30 x 30 vertices."""
    x, y = np.meshgrid(np.linspace(-0.07, 0.07, 30), np.linspace(-0.09, 0.06, 30))
    grid = np.stack([x, y, -8 * (x**2 + y**2)], axis=-1).reshape(-1, 3)
    corner = (np.arange(29)[:, None] * 30 + np.arange(29)).ravel()
    triangles = np.concatenate([corner[:, None] + [0, 1, 31], corner[:, None] + [0, 31, 30]]).astype(np.int32)
    uv = (grid[:, :2] - grid[:, :2].min(axis=0)) / np.ptp(grid[:, :2], axis=0)
    return replace(
        open_face_model("open"), name="basel", sha256="bowl", mean=grid.astype(np.float32),
        identity=np.zeros((2, 900, 3), np.float32), expression=np.zeros((1, 900, 3), np.float32),
        expression_names=("bfm_exp_0",), triangles=triangles, uv=uv.astype(np.float32), uv_triangles=triangles,
        part_names=(), vertex_part=np.zeros(0, np.uint8), mirror=np.zeros(0, np.int32),
        landmarks68=np.arange(0, 68 * 13, 13, dtype=np.int32), sellion=465,
        facemesh_triangle=np.zeros(0, np.int32), facemesh_barycentric=np.zeros((0, 3), np.float32),
        ibug_triangle=np.zeros(0, np.int32), ibug_barycentric=np.zeros((0, 3), np.float32),
        ibug_slide=np.zeros((0, 68, 3), np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sparse(model):
    points, nothing = model.landmarks68, np.zeros((0, 3), np.int32)
    return replace(
        model, name="3ddfa_v2", sha256="points", mean=model.mean[points], identity=model.identity[:, points],
        expression=model.expression[:, points], landmarks68=np.arange(68, dtype=np.int32), sellion=27,
        triangles=nothing, uv=np.zeros((0, 2), np.float32), uv_triangles=nothing, part_names=(),
        vertex_part=np.zeros(0, np.uint8), mirror=np.zeros(0, np.int32),
        ibug_triangle=np.zeros(0, np.int32), ibug_barycentric=np.zeros((0, 3), np.float32),
        ibug_slide=np.zeros((0, 68, 3), np.float32),
    )  # fmt: skip


def frame_of(width=WIDTH, height=HEIGHT):
    return Frame(np.full((height, width, 3), 120, np.uint8), 0, "camera", pinhole_camera(width, height, 45.0))


def face_at(model, frame, x=0.0, z=0.6, yaw=0.0, face_id="f1"):
    """A mean face; yaw in degrees."""
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.0, 0.0), np.array([x, 0.0, z]), True)
    points = pixels_with_depth(to_camera(model.mean[model.landmarks68], pose), pose, frame.camera)
    fit = FaceFit(
        pose=pose, shape=np.zeros(len(model.identity)), expression=np.zeros(len(model.expression)), residual=0.0,
        landmarks68=points, weak_perspective=weak_perspective(pose, frame.camera), confidence=1.0,
    )  # fmt: skip
    return Face(face_id, 1.0, bounding_box(points), None, fit, Blendshapes(("jawOpen",), np.array([0.5])))


def pixel_of(model, face, frame, vertex):
    """Column and row of a vertex of the mean face."""
    return np.round(project(to_camera(model.mean[[vertex]], face.fit.pose), frame.camera)[0]).astype(int)


def test_table_has_every_mode_in_the_order_of_the_settings() -> None:
    assert tuple(modes._DRAWERS) == DRAW_MODES


@pytest.mark.parametrize("mode", DRAW_MODES)
def test_every_mode_draws_two_faces_and_does_not_modify_the_frame(model, mode) -> None:
    frame = frame_of()
    faces = [face_at(model, frame, -0.1), face_at(model, frame, 0.1, face_id="f2")]
    picture = draw_in_frame(mode, frame, faces, model)
    assert (frame.image == 120).all()
    assert (picture.shape, picture.dtype) == (frame.image.shape, np.uint8)
    halves = np.hsplit((picture != draw_in_frame(mode, frame, [], model)).any(axis=2), 2)
    assert all(half.sum() > 300 for half in halves)


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (2000, 20)])
@pytest.mark.parametrize("mode", DRAW_MODES)
def test_images_of_any_size_are_drawn(model, mode, size) -> None:
    frame = frame_of(*size)
    assert draw_in_frame(mode, frame, [face_at(model, frame_of())], model).shape == frame.image.shape


@pytest.mark.parametrize("mode", DRAW_MODES)
@pytest.mark.parametrize("position", [np.full(3, np.nan), np.array([0, 0, -1.0]), np.array([9.0, 0, 1.0])])
def test_invalid_or_invisible_faces_raise_no_errors(model, mode, position) -> None:
    frame = frame_of()
    face = face_at(model, frame)
    face = replace(face, fit=replace(face.fit, pose=replace(face.fit.pose, position=position)))
    assert draw_in_frame(mode, frame, [face], model).shape == frame.image.shape


@pytest.mark.parametrize("mode", DRAW_MODES)
def test_model_without_parts_mirror_and_facemesh_points_is_drawn(basel_like, mode) -> None:
    frame = frame_of()
    picture = draw_in_frame(mode, frame, [face_at(basel_like, frame)], basel_like)
    assert (picture != draw_in_frame(mode, frame, [], basel_like)).any()


@pytest.mark.parametrize("mode", DENSE_MODES)
def test_sparse_model_rejects_modes_that_require_a_surface(sparse, mode) -> None:
    with pytest.raises(BundleError, match=f"^{mode} requires the dense face model.*bfm_noneck_v3.pkl"):
        draw(mode, frame_of(), [], sparse)


@pytest.mark.parametrize("mode", ["annotated", "2d_sparse", "pose"])
def test_sparse_model_draws_modes_that_need_only_68_points(sparse, mode) -> None:
    frame = frame_of()
    assert (draw(mode, frame, [face_at(sparse, frame)], sparse) != 120).any()


def test_model_without_texture_coordinates_rejects_uv_tex(basel_like) -> None:
    bare = replace(basel_like, uv=np.zeros((0, 2), np.float32))
    check_mode("3d", bare)
    with pytest.raises(BundleError, match="uv_tex requires texture coordinates, but the face model 'basel' has none"):
        check_mode("uv_tex", bare)


def test_unknown_mode_is_rejected_with_the_list_of_modes(model) -> None:
    with pytest.raises(ValueError, match=r"expected a drawing mode of annotated, .*, uv_tex, got '4d'"):
        draw("4d", frame_of(), [], model)


def test_weak_perspective_of_a_distant_face_is_exact_to_half_a_pixel(model) -> None:
    frame = frame_of()
    face = face_at(model, frame, z=12.0, yaw=30)
    pixels = fit_pixels(face.fit, model.mean, HEIGHT)
    assert np.abs(pixels[:, :2] - project(to_camera(model.mean, face.fit.pose), frame.camera)).max() < 0.5
    nose = int(np.argmax(model.mean[:, 2]))
    assert pixels[nose, 2] < 0, "the nose is nearer than the sellion"


def test_vertices_are_projected_consistently_with_the_fit(model) -> None:
    """A fit in full perspective keeps it; one in weak perspective keeps that, although the pose is the same."""
    frame = frame_of()
    fit = face_at(model, frame, z=0.3, yaw=30).fit
    weak = replace(fit, landmarks68=fit_pixels(fit, model.mean[model.landmarks68], HEIGHT))
    assert np.abs(weak.landmarks68[:, :2] - fit.landmarks68[:, :2]).max() > 5, "pixels: the two do differ"
    for one in (fit, weak):
        pixels = fit_in_image(one, model.mean, model, frame.camera, HEIGHT)
        assert pixels[model.landmarks68, :2] == pytest.approx(one.landmarks68[:, :2], abs=0.01)
        assert pixels[model.sellion, 2] == pytest.approx(0.3, abs=1e-5)


def test_gray_levels_are_linear_in_depth(model) -> None:
    frame = frame_of()
    face = face_at(model, frame)
    picture = draw("depth", frame, [face], model)
    front = surface.front(model)
    depth = to_camera(model.mean, face.fit.pose)[:, 2]
    near, far = depth[front.vertices].min(), depth[front.vertices].max()
    for vertex in model.landmarks68[[30, 27, 8, 19, 24]]:
        x, y = pixel_of(model, face, frame, vertex)
        expected = 255 - (depth[vertex] - near) / (far - near) * (255 - 32)
        assert picture[y, x, 0] == pytest.approx(expected, abs=5), "levels; a level is 0.5 mm, a pixel 1 mm"
    assert picture.max() >= 253
    assert (picture[0] == 0).all()


def test_pncc_encodes_the_position_on_the_face(model) -> None:
    frame = frame_of()
    face = face_at(model, frame, yaw=25)
    picture = draw("pncc", frame, [face], model)
    code = normalized_coordinates(model)
    for vertex in model.landmarks68[[30, 27, 8, 36, 48]]:
        x, y = pixel_of(model, face, frame, vertex)
        assert picture[y, x, ::-1] / 255 == pytest.approx(code[vertex], abs=0.03), "1 is 0.15 m"
    left, right = (pixel_of(model, face, frame, model.landmarks68[n]) for n in (45, 36))
    assert picture[left[1], left[0], 2] > picture[right[1], right[0], 2], "red grows to the subject's left"


@pytest.mark.parametrize("mode", ["3d", "depth", "pncc", "2d_dense"])
def test_nearer_face_occludes_the_farther_one_in_any_order(model, mode) -> None:
    frame = frame_of()
    near, far = face_at(model, frame, 0.02, 0.5, face_id="f1"), face_at(model, frame, -0.04, 0.7, face_id="f2")
    pictures = [draw(mode, frame, faces, model) for faces in ([near, far], [far, near])]
    assert np.array_equal(*pictures)
    x, y = pixel_of(model, near, frame, model.landmarks68[30])
    if mode != "depth":  # depth has one scale for all faces
        alone = draw(mode, frame, [near], model)
        assert np.array_equal(pictures[0][y - 8 : y + 8, x - 8 : x + 8], alone[y - 8 : y + 8, x - 8 : x + 8])


@pytest.mark.parametrize("mode", ["3d", "depth", "pncc", "2d_dense"])
def test_drawing_in_tiles_gives_the_same_image(model, mode, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of()
    faces = [face_at(model, frame, 0.02, 0.4), face_at(model, frame, -0.1, 0.5, yaw=40, face_id="f2")]
    at_once = draw(mode, frame, faces, model)
    for pixels in (97, 5000):
        monkeypatch.setattr(surface, "_TILE", pixels)
        assert np.abs(draw(mode, frame, faces, model).astype(int) - at_once).max() <= 1


def test_2d_sparse_draws_dots_at_the_68_points(sparse) -> None:
    frame = frame_of()
    face = face_at(sparse, frame)
    picture = draw("2d_sparse", frame, [face], sparse)
    x, y = face.fit.landmarks68[:, :2].round().astype(int).T
    assert (picture[y, x].min(axis=1) > 160).all(), "white dots"


def test_head_occludes_its_own_far_side(model) -> None:
    frame = frame_of()
    projected = surface.project_face(face_at(model, frame, yaw=70).fit, model, frame.camera, HEIGHT)
    assert projected is not None
    (tile,) = surface.tiles([projected], surface.front(model), WIDTH, HEIGHT)
    seen = tile.visible(projected.pixels[model.landmarks68[[0, 36, 30, 45, 14]]])
    assert seen.tolist() == [False, False, True, True, True], "the nose points to the subject's right"


def test_front_of_the_pose_box_moves_in_the_direction_of_the_nose(sparse) -> None:
    frame = frame_of()
    middle = []
    for yaw in (-40, 40):
        picture = draw("pose", frame, [face_at(sparse, frame, yaw=yaw)], sparse)
        middle.append(np.nonzero((picture == 245).all(axis=2))[1].mean())
    assert middle[0] > WIDTH / 2 + 20
    assert middle[1] < WIDTH / 2 - 20


@pytest.mark.slow
@pytest.mark.parametrize("mode", DRAW_MODES)
def test_face_that_fills_an_image_of_100_megapixels_is_drawn(model, mode) -> None:
    frame = frame_of(10_000, 10_000)
    picture = draw(mode, frame, [face_at(model, frame, z=0.45)], model)
    assert cv2.countNonZero(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)) > 1000
