"""Portraits turned to other poses: what is seen where, checked on a picture whose colors say where they come from."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.geometry import (
    euler_angles,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.types import Camera, FaceFit, Pose
from face_expr_ros.drawing.projection import to_pixels
from face_expr_ros.kernels.rasterizer import depth_map, visible_vertices
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.portrait_shards import (
    HELD_OUT,
    draw_as_it_is,
    draw_from_aside,
    files_of_shard,
    turned_pose,
)
from face_expr_ros.training.tddfa.portraits import Portrait, portrait_files
from face_expr_ros.training.tddfa.scenes import MARGIN, SIDE, crop_camera
from face_expr_ros.training.tddfa.surroundings import empty_square
from face_expr_ros.training.tddfa.turned import HeightField, draw_turned, height_field

MODEL = open_face_model("open")
POINTS = learned_points(MODEL)
WIDTH = 240  # pixels; a color can say where it comes from
CAMERA = pinhole_camera(WIDTH, WIDTH, 25.0)
POSE = Pose(rotation_from_euler(np.radians(18.0), np.radians(4.0), np.radians(5.0)), np.array([0.01, 0.0, 1.0]), True)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    """A head in front of nothing; blue is the column of each pixel, green its row."""
    rng = np.random.default_rng(2)
    shape, expression = rng.normal(0, 0.7, len(MODEL.identity)), np.zeros(len(MODEL.expression))
    vertices = MODEL.vertices(shape, expression)
    seen = to_camera(vertices, POSE)
    depth, _ = depth_map(to_pixels(seen, CAMERA), MODEL.triangles, WIDTH, WIDTH)
    rows, columns = np.mgrid[0:WIDTH, 0:WIDTH]
    image = np.dstack([columns, rows, np.full((WIDTH, WIDTH), 90)]).astype(np.uint8)
    landmarks = np.column_stack([project(seen[MODEL.landmarks68], CAMERA), np.zeros(68)])
    fit = FaceFit(POSE, shape, expression, 0.0, landmarks, weak_perspective(POSE, CAMERA), 1.0)
    return Portrait(Path("face.jpg"), image, np.isfinite(depth).astype(np.float32), CAMERA, fit)


@pytest.fixture(scope="module")
def field(portrait: Portrait) -> HeightField:
    return height_field(portrait, MODEL)


def colors_of_visible(image: np.ndarray, vertices: np.ndarray, pose: Pose, camera: Camera) -> tuple[np.ndarray, ...]:
    """Vertices of the face's front that are seen in both poses, and the pixel of the portrait that each shows."""
    used = np.flatnonzero((MODEL.vertex_part == 0) & (MODEL.mean[:, 2] > -0.03) & (np.abs(MODEL.mean[:, 1]) < 0.08))
    visible = np.ones(len(used), bool)
    for where, by in ((POSE, CAMERA), (pose, camera)):
        pixels = to_pixels(to_camera(vertices, where), by)
        depth, _ = depth_map(pixels, MODEL.triangles, by.width, by.height)
        visible &= visible_vertices(pixels, depth, 0.001)[used]
    chosen = used[visible]
    x, y = np.round(project(to_camera(vertices[chosen], pose), camera)).astype(int).T
    return chosen, image[y, x, :2].astype(float)


@pytest.mark.parametrize("yaw", [-25.0, 18.0, 50.0])
def test_a_turned_portrait_shows_each_point_of_the_face_where_it_truly_is(
    portrait: Portrait, field: HeightField, yaw: float
) -> None:
    vertices = MODEL.vertices(portrait.fit.shape, portrait.fit.expression)
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.1, 0.0), np.array([0.0, 0.0, 1.2]), True)
    camera = crop_camera(vertices[MODEL.landmarks68], pose)
    image = draw_turned(field, np.zeros_like(vertices), pose, camera)
    chosen, shown = colors_of_visible(image, vertices, pose, camera)
    off = np.linalg.norm(shown - project(to_camera(vertices[chosen], POSE), CAMERA), axis=1)
    assert len(chosen) > 200
    assert np.median(off) < 2.0  # pixels of the portrait; a pixel of the crop is about 1.5 of them
    assert np.percentile(off, 90) < 5.0


def test_a_changed_shape_moves_what_is_shown(portrait: Portrait, field: HeightField) -> None:
    before = MODEL.vertices(portrait.fit.shape, portrait.fit.expression)
    after = MODEL.vertices(portrait.fit.shape + np.eye(len(MODEL.identity))[0] * 2.0, portrait.fit.expression)
    pose = Pose(POSE.rotation, np.array([0.0, 0.0, 1.0]), True)
    camera = crop_camera(after[MODEL.landmarks68], pose)
    chosen, shown = colors_of_visible(draw_turned(field, after - before, pose, camera), after, pose, camera)
    off = np.linalg.norm(shown - project(to_camera(before[chosen], POSE), CAMERA), axis=1)
    assert np.median(off) < 2.0


def test_profile_renders_close_the_head_and_leave_the_nose_clear(portrait: Portrait, field: HeightField) -> None:
    vertices = MODEL.vertices(portrait.fit.shape, portrait.fit.expression)
    pose = Pose(rotation_from_euler(np.radians(90.0), 0.0, 0.0), np.array([0.0, 0.0, 1.5]), True)
    camera = crop_camera(vertices[MODEL.landmarks68], pose)
    image = draw_turned(field, np.zeros_like(vertices), pose, camera)
    nose, eyes = project(to_camera(vertices[MODEL.landmarks68[[30, 39]]], pose), camera)
    row = image[round(eyes[1]), :, 3]
    covered = np.flatnonzero(row > 127)
    assert row[covered[0] : covered[-1]].min() > 127  # one piece
    assert covered[-1] - covered[0] > 60  # pixels: from the eyes far back
    assert not image[: round(nose[1]), : round(nose[0]) - 3, 3].any()  # yaw > 0 looks to image left


def test_the_portrait_itself_is_cropped_and_its_parameters_fit(portrait: Portrait) -> None:
    drawing = draw_as_it_is(MODEL, POINTS, portrait)
    matrix = drawing.parameters[:12].reshape(3, 4)
    vertices = MODEL.vertices(portrait.fit.shape, portrait.fit.expression)[POINTS.vertices]
    placed = vertices @ matrix[:, :3].T + matrix[:, 3]
    off = np.column_stack([placed[:, 0] - 1, SIDE - placed[:, 1]]) - drawing.points
    assert np.abs(off).mean() < 2.0  # pixels: a weak perspective from 1 m
    assert np.abs(off).max() < 6.0
    x, y = np.round(drawing.points[30]).astype(int)
    tip = project(to_camera(vertices[30:31], POSE), CAMERA)[0]
    assert np.abs(drawing.image[y, x, :2] - tip).max() < 2.0
    low, high = drawing.points[:68].min(axis=0), drawing.points[:68].max(axis=0)
    np.testing.assert_allclose((high - low).max() * np.sqrt(2) * MARGIN, SIDE, rtol=0.02)


def test_turned_drawings_repeat_for_the_same_seed(portrait: Portrait, field: HeightField) -> None:
    one, two = (draw_from_aside(MODEL, POINTS, portrait, field, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.parameters, two.parameters)
    assert one.image.shape == (SIDE, SIDE, 4)
    assert one.points.shape == (len(POINTS.vertices), 2)


def test_a_portrait_is_turned_to_the_side_that_it_shows() -> None:
    rng = np.random.default_rng(0)
    aside, ahead = (Pose(rotation_from_euler(np.radians(y), 0.0, 0.0), np.ones(3), True) for y in (25.0, 1.0))
    yaws = np.degrees([euler_angles(turned_pose(aside, rng).rotation)[0] for _ in range(200)])
    assert yaws.min() > -20.0
    assert yaws.max() > 85.0
    yaws = np.degrees([euler_angles(turned_pose(ahead, rng).rotation)[0] for _ in range(200)])
    assert yaws.min() < -40.0
    assert yaws.max() > 40.0
    assert np.abs(yaws).max() < 62.0


def test_broken_portraits_are_left_out_and_held_out_ones_are_in_one_shard(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    names = [f"p{number:03d}.jpg" for number in range(230)]
    for name in names:
        (tmp_path / "train" / name).touch()
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "occluded"), (names[0], "2"), (names[1], "1")])
    files = portrait_files(tmp_path)
    assert [path.name for path in files] == names[1:]
    shards = [set(files_of_shard(files, number)) for number in range(12)]
    assert all(len(shard) == 32 for shard in shards)
    for number in range(HELD_OUT):
        assert not any(shards[number] & other for other in shards[number + 1 :])
    assert shards[HELD_OUT] == shards[7]  # seven shards show each of the rest once; then they come again


def test_an_empty_square_shows_nobody() -> None:
    person = np.zeros((200, 300), bool)
    person[:, 80:200] = True
    found = [empty_square(person, np.random.default_rng(seed)) for seed in range(20)]
    squares = [square for square in found if square is not None]
    assert squares
    for x, y, side in squares:
        assert not person[y : y + side, x : x + side].any()
    assert empty_square(np.ones((200, 300), bool), np.random.default_rng(0)) is None
