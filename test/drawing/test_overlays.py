"""Overlays: contents and positions, and robustness against invalid faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    bounding_box,
    pinhole_camera,
    project,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Frame, Landmarks, Pose, Roi
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.models.bundle import open_face_model

WIDTH, HEIGHT = 640, 480


@pytest.fixture(scope="module")
def model():
    return open_face_model("open")


@pytest.fixture
def frame():
    return Frame(np.full((HEIGHT, WIDTH, 3), 120, np.uint8), 0, "camera", pinhole_camera(WIDTH, HEIGHT, 45.0))


@pytest.fixture
def face(model, frame):
    return face_at(model, frame, np.array([0.0, 0.0, 0.6]))


def face_at(model, frame, position, face_id="1"):
    pose = Pose(FACING_CAMERA, position, True)
    pixels = project(to_camera(model.facemesh_points(model.mean), pose), frame.camera)
    points = np.column_stack([pixels, np.zeros(len(pixels))]).astype(np.float32)
    values = np.zeros(len(model.expression_names))
    values[:3] = 0.9, 0.5, 0.2
    shape, expression = np.zeros(len(model.identity)), np.zeros(len(model.expression))
    fit = FaceFit(pose, shape, expression, 0.001, points[:68], weak_perspective(pose, frame.camera), confidence=1.0)
    blendshapes = Blendshapes(model.expression_names, values)
    return Face(face_id, 1.0, bounding_box(pixels), Landmarks(points, 1.0), fit, blendshapes)


def test_annotate_does_not_modify_the_frame_and_draws_only_faces(frame, face, model):
    annotate(frame, (face,), model, mesh=True)
    assert (frame.image == 120).all()
    assert (annotate(frame, (), model) == 120).all()


def test_axes_start_at_the_sellion_and_have_their_colors(frame, face, model):
    image = annotate(frame, (face,), model).astype(int)
    x, y = np.round(project(face.fit.pose.position[None], frame.camera)[0]).astype(int)
    up, left = image[y - 30, x], image[y, x + 30]
    assert up[0] > up[2] + 60, "z, up, is blue"
    assert left[1] > left[0] + 60, "y, to the subject's left, which is image right, is green"


def test_box_landmarks_and_bars_are_at_the_expected_positions(frame, face, model):
    drawn = (annotate(frame, (face,), model) != 120).any(axis=2)
    roi = face.roi
    assert drawn[round(roi.y), round(roi.x) : round(roi.x) + 5].all()
    lips = face.landmarks.points[[61, 291, 13, 14], :2].round().astype(int)
    assert all(drawn[y - 1 : y + 2, x - 1 : x + 2].any() for x, y in lips)
    assert drawn[:, round(roi.x + roi.width) + 14 :].any()


def test_bars_are_on_the_side_without_a_neighboring_face(frame, model):
    left, right = (face_at(model, frame, np.array([x, 0.0, 0.9])) for x in (-0.09, 0.09))
    drawn = (annotate(frame, (left, right), model) != 120).any(axis=2)
    assert drawn[:, : round(left.roi.x) - 14].any()


def test_mesh_covers_the_face_and_is_transparent(frame, face, model):
    striped = replace(frame, image=frame.image.copy())
    striped.image[:, ::2] = 40
    image = annotate(striped, (replace(face, blendshapes=Blendshapes((), np.zeros(0))),), model, mesh=True).astype(int)
    cheek = project(to_camera(model.mean[model.landmarks68[[2]]] * [0.7, 1, 1], face.fit.pose), frame.camera)[0]
    x, y = cheek.round().astype(int)
    assert image[y, x].max() != 120
    assert np.abs(image[y - 4 : y + 4, x : x + 8 : 2] - image[y - 4 : y + 4, x + 1 : x + 9 : 2]).max() > 10


@pytest.mark.parametrize("mesh", [False, True])
@pytest.mark.parametrize(
    "invalidate",
    [
        lambda f: replace(f, landmarks=None),
        lambda f: replace(f, landmarks=Landmarks(np.full((478, 3), np.nan, np.float32), 0.0)),
        lambda f: replace(f, landmarks=Landmarks(np.full((478, 3), 1e9, np.float32), 0.0)),
        lambda f: replace(f, landmarks=Landmarks(f.landmarks.points[:468], 1.0)),
        lambda f: replace(f, fit=replace(f.fit, pose=Pose(FACING_CAMERA, np.array([0, 0, -1.0]), True))),
        lambda f: replace(f, fit=replace(f.fit, pose=Pose(FACING_CAMERA, np.full(3, np.nan), True))),
        lambda f: replace(f, fit=replace(f.fit, pose=Pose(FACING_CAMERA, np.array([9.0, 0, 1.0]), True))),
        lambda f: replace(f, roi=Roi(-500, -500, 10, 10)),
        lambda f: replace(f, roi=Roi(np.nan, 0, 10, 10)),
        lambda f: replace(f, roi=Roi(630, 470, 500, 500)),
        lambda f: replace(f, blendshapes=Blendshapes(("jawOpen",), np.array([np.nan]))),
        lambda f: replace(f, blendshapes=Blendshapes((), np.zeros(0))),
        lambda f: replace(f, id="anna"),
    ],
)
def test_faces_outside_the_image_or_not_finite_raise_no_errors(frame, face, model, invalidate, mesh):
    image = annotate(frame, (invalidate(face),), model, mesh=mesh)
    assert image.shape == frame.image.shape


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (2000, 20)])
def test_images_of_any_size_are_annotated(face, model, size):
    width, height = size
    small = Frame(np.zeros((height, width, 3), np.uint8), 0, "camera", pinhole_camera(width, height, 45.0))
    assert annotate(small, (face,), model, mesh=True).shape == (height, width, 3)
