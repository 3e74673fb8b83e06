"""The places of the 68 points are recovered from annotations that were made at known places."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.geometry import pinhole_camera, project, rotation_from_euler, to_camera, weak_perspective
from face_expr_ros.core.ibug import apparent_turn, turned_offsets
from face_expr_ros.core.types import Pose
from face_expr_ros.evaluation.annotation68 import Seen, choose, cross_validated, placed
from face_expr_ros.models.bundle import open_face_model

MODEL = open_face_model("open")
CAMERA = pinhole_camera(400, 400, 4.0)  # far away: a weak perspective is exact to a fraction of a pixel


@pytest.fixture(scope="module")
def seen() -> Seen:
    rng = np.random.default_rng(3)
    vertices, matrices, points = [], [], []
    for number in range(60):
        yaw = rng.uniform(-0.4, 0.4) if number < 40 else rng.choice([-1, 1]) * rng.uniform(0.6, 1.5)
        pose = Pose(rotation_from_euler(yaw, rng.normal(0, 0.2), 0.0), np.array([0.0, 0.0, 6.0]), True)
        head = MODEL.vertices(rng.normal(0, 0.5, len(MODEL.identity)))
        matrix = weak_perspective(pose, CAMERA)
        marks = MODEL.ibug_points(head, apparent_turn(matrix))
        vertices.append(project(to_camera(head, pose), CAMERA))
        points.append(project(to_camera(marks, pose), CAMERA))
        matrices.append(matrix)
    stacked = np.array(matrices)
    turn = apparent_turn(stacked)
    bins = np.digitize(np.abs(np.degrees(np.arcsin(turn))), (30.0, 60.0))
    jacobian = stacked[:, :2, :3] * np.array([[1.0], [-1.0]])
    return Seen(np.array(vertices, np.float32), jacobian, turn, (np.array(points),), bins)


def test_places_and_slides_explain_the_annotations(seen: Seen) -> None:
    chosen = choose(MODEL, seen, (1.0,))
    off = np.linalg.norm(placed(MODEL, seen, chosen) - seen.points[0], axis=2)
    anatomical = np.linalg.norm(seen.vertices[:, MODEL.landmarks68] - seen.points[0], axis=2)
    assert off.mean() < 0.25 * anatomical.mean()
    found, true = (turned_offsets(slide, 0.9)[:9] for slide in (chosen.slide, MODEL.ibug_slide))
    assert np.linalg.norm(found - true, axis=1).mean() < 0.6 * np.linalg.norm(true, axis=1).mean()


def test_cross_validated_errors_are_those_of_images_that_did_not_choose(seen: Seen) -> None:
    (errors,) = cross_validated(MODEL, seen, (1.0,), folds=3)
    assert errors.shape == (3,)
    assert (errors < 2.0).all()  # percent
