"""The whole line from image to faces on rendered people: who is who, who is there, what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.config import PerceptionConfig
from face_expr_ros.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.pipeline import Pipeline
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.scene import FaceRenderer, SceneFace, render_scene
from face_expr_ros.values import Face, Frame, Pose

CAMERA = pinhole_camera(640, 480, 45.0)
FRAME_NS = 33_000_000


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    result = Pipeline(PerceptionConfig())
    yield result
    result.close()


def frame(image: NDArray[np.uint8], number: int) -> Frame:
    return Frame(image, number * FRAME_NS, "camera_optical_frame", CAMERA)


def center(face: Face) -> float:
    """Column in pixels."""
    return face.roi.x + face.roi.width / 2


def facing(x: float, z: float) -> Pose:
    return Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([x, 0.0, z]), metric=True)


def test_two_people_who_cross_keep_their_ids_though_one_hides_the_other(pipeline: Pipeline) -> None:
    model = pipeline.model
    near, far = (FaceRenderer(model, Appearance.random(seed), texture_width=256) for seed in (1, 2))
    seen: list[dict[str, float]] = []
    for number in range(19):
        x = -0.25 + 0.5 * number / 18  # meters: 0.8 m/s
        scene = [SceneFace(near, model.mean, facing(x, 0.75)), SceneFace(far, model.mean, facing(-1.35 * x, 1.0))]
        faces = pipeline(frame(render_scene(scene, CAMERA), number))
        seen.append({face.id: center(face) for face in faces})
    assert min(len(faces) for faces in seen) == 1, "one is hidden for a while"
    assert seen[0].keys() == seen[-1].keys() == {"f1", "f2"}
    near_id, far_id = sorted(seen[0], key=seen[0].__getitem__)
    assert seen[-1][near_id] > 400 > 240 > seen[-1][far_id]  # pixels
    assert {face_id for faces in seen for face_id in faces} == {"f1", "f2"}


def test_nobody_is_a_good_answer_and_who_comes_back_soon_is_the_same(
    pipeline: Pipeline, portrait: NDArray[np.uint8]
) -> None:
    wall = np.full_like(portrait, 120)
    images = [portrait, portrait, wall, wall, portrait]
    ids = [[face.id for face in pipeline(frame(image, number))] for number, image in enumerate(images)]
    assert ids == [["f1"], ["f1"], [], [], ["f1"]]


def test_time_that_jumps_back_forgets_the_faces_and_ids_go_on(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    ids = [pipeline(frame(portrait, number))[0].id for number in (100, 100, 101, 3, 4)]
    assert ids == ["f1", "f1", "f1", "f2", "f2"]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_an_image_of_any_size_is_answered_and_the_next_one_works(
    pipeline: Pipeline, portrait: NDArray[np.uint8], size: tuple[int, int]
) -> None:
    assert len(pipeline(frame(portrait, 0))) == 1
    tiny = np.full((size[1], size[0], 3), 120, np.uint8)
    camera = pinhole_camera(size[0], size[1], 45.0)
    assert pipeline(Frame(tiny, FRAME_NS, "camera_optical_frame", camera)) == ()
    assert len(pipeline(frame(portrait, 2))) == 1
