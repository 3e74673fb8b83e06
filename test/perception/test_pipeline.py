"""The whole pipeline on synthetic faces: ids, missing faces, resets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import ROOT

from face_expr_ros.core.config import FittingConfig, LandmarksConfig, PerceptionConfig, SmoothingConfig
from face_expr_ros.core.geometry import bounding_box, euler_angles, pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Face, Frame, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.detection.boxes import containment, overlap
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene

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


def test_two_people_keep_their_ids_while_one_occludes_the_other(pipeline: Pipeline) -> None:
    model = pipeline.model
    near, far = (FaceRenderer(model, Appearance.random(seed), texture_width=256) for seed in (1, 2))
    seen: list[dict[str, float]] = []
    for number in range(19):
        x = -0.25 + 0.5 * number / 18  # meters: 0.8 m/s
        scene = [SceneFace(near, model.mean, facing(x, 0.75)), SceneFace(far, model.mean, facing(-1.35 * x, 1.0))]
        faces = pipeline(frame(render_scene(scene, CAMERA), number))
        seen.append({face.id: center(face) for face in faces})
    assert min(len(faces) for faces in seen) == 1, "one is occluded for a while"
    assert seen[0].keys() == seen[-1].keys() == {"f1", "f2"}
    near_id, far_id = sorted(seen[0], key=seen[0].__getitem__)
    assert seen[-1][near_id] > 400 > 240 > seen[-1][far_id]  # pixels
    assert {face_id for faces in seen for face_id in faces} == {"f1", "f2"}


def test_a_face_that_returns_soon_keeps_its_id(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    wall = np.full_like(portrait, 120)
    images = [portrait, portrait, wall, wall, portrait]
    ids = [[face.id for face in pipeline(frame(image, number))] for number, image in enumerate(images)]
    assert ids == [["f1"], ["f1"], [], [], ["f1"]]


def test_a_jump_back_in_time_deletes_the_tracks_and_ids_continue(
    pipeline: Pipeline, portrait: NDArray[np.uint8]
) -> None:
    ids = [pipeline(frame(portrait, number))[0].id for number in (100, 100, 101, 3, 4)]
    assert ids == ["f1", "f1", "f1", "f2", "f2"]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_an_image_of_any_size_is_processed(
    pipeline: Pipeline, portrait: NDArray[np.uint8], size: tuple[int, int]
) -> None:
    assert len(pipeline(frame(portrait, 0))) == 1
    tiny = np.full((size[1], size[0], 3), 120, np.uint8)
    camera = pinhole_camera(size[0], size[1], 45.0)
    assert pipeline(Frame(tiny, FRAME_NS, "camera_optical_frame", camera)) == ()
    assert len(pipeline(frame(portrait, 2))) == 1


def turning_head(pipeline: Pipeline, frames: int) -> list[tuple[float, tuple[Face, ...]]]:
    """(yaw in degrees, faces) of a head that turns from straight to full profile and back."""
    model = open_face_model("open")
    renderer = FaceRenderer(model, Appearance.random(5), texture_width=256)
    yaws = 90.0 * (1.0 - np.abs(np.linspace(-1.0, 1.0, frames)))
    seen = []
    for number, yaw in enumerate(yaws):
        pose = Pose(rotation_from_euler(np.radians(yaw), 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
        seen.append((float(yaw), pipeline(frame(renderer.render(model.mean, pose, CAMERA), number))))
    return seen


def assert_tracked_through_profile(seen: list[tuple[float, tuple[Face, ...]]]) -> None:
    assert {tuple(face.id for face in faces) for _, faces in seen} == {("f1",)}
    profile = [faces[0] for yaw, faces in seen if yaw > 87]
    assert any(face.landmarks is None for face in profile), "FaceMesh does not find a full profile"
    errors = [abs(np.degrees(euler_angles(faces[0].fit.pose.rotation)[0]) - yaw) for yaw, faces in seen]
    assert max(errors) < 12.0  # degrees; it turns by 4.5 between two frames, and smoothing lags


def test_a_head_is_tracked_through_profile(pipeline: Pipeline) -> None:
    assert_tracked_through_profile(turning_head(pipeline, frames=41))


def test_the_released_network_tracks_a_head_through_profile(tddfa_bundle: Path) -> None:
    pipeline = Pipeline(PerceptionConfig(bundle="3ddfa_v2"))
    assert_tracked_through_profile(turning_head(pipeline, frames=41))
    pipeline.close()


def test_least_squares_loses_a_profile_and_recovers_its_id() -> None:
    pipeline = Pipeline(PerceptionConfig(fitting=FittingConfig(backend="least_squares")))
    seen = turning_head(pipeline, frames=41)
    pipeline.close()
    assert min(len(faces) for _, faces in seen) == 0
    assert {face.id for _, faces in seen for face in faces} == {"f1"}
    assert [face.id for face in seen[-1][1]] == ["f1"]


def test_a_face_that_jumps_by_half_its_width_is_tracked(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    seen = []
    for number in range(8):
        image = np.roll(portrait, 90 * (number // 4), axis=1)  # pixels; the face is 180 wide
        seen += [(number, face.id, center(face)) for face in pipeline(frame(image, number))]
    assert {face_id for _, face_id, _ in seen} == {"f1"}
    assert {number for number, *_ in seen} >= {0, 1, 2, 3, 5, 6, 7}, "the detector runs again when no face is left"
    assert seen[-1][2] - seen[0][2] == pytest.approx(90, abs=20)  # pixels; the box is smoothed


def test_all_small_faces_of_a_group_are_found_in_a_still_image(portrait: NDArray[np.uint8]) -> None:
    pipeline = Pipeline(PerceptionConfig(landmarks=LandmarksConfig(max_faces=8)))
    person = cv2.resize(portrait, (200, 150), interpolation=cv2.INTER_AREA)
    picture = np.full((720, 1280, 3), 120, np.uint8)
    corners = [(40, 60), (420, 30), (930, 90), (90, 480), (540, 430), (1000, 500)]
    for x, y in corners:
        picture[y : y + 150, x : x + 200] = person
    faces = pipeline.still(Frame(picture, 0, "camera_optical_frame", pinhole_camera(1280, 720, 45.0)))
    pipeline.close()
    assert sorted(center(face) for face in faces) == pytest.approx(sorted(x + 100 for x, _ in corners), abs=6)


def test_a_crowd_is_tracked_up_to_max_faces(portrait: NDArray[np.uint8]) -> None:
    pipeline = Pipeline(PerceptionConfig(landmarks=LandmarksConfig(max_faces=10)))
    person = cv2.resize(portrait[:450, 160:480], (256, 360), interpolation=cv2.INTER_AREA)
    picture = np.tile(person, (2, 5, 1))
    camera = pinhole_camera(1280, 720, 45.0)
    tracked = [pipeline(Frame(picture, number * FRAME_NS, "camera_optical_frame", camera)) for number in range(30)]
    pipeline.close()
    counts = [len(faces) for faces in tracked[::9]]
    assert counts == sorted(counts), "no face is lost"
    assert counts[0] >= 3, "the first detection pass starts tracks"
    assert counts[2:] == [10, 10], "two passes later all are tracked"
    columns = [column for column in (128, 384, 640, 896, 1152) for _ in range(2)]
    assert sorted(map(center, tracked[-1])) == pytest.approx(columns, abs=6)  # pixels
    assert {round(face.roi.width, -1) for face in tracked[-1]} == {100}  # pixels


def test_a_large_face_does_not_hide_a_small_one() -> None:
    pipeline = Pipeline(PerceptionConfig())
    camera = pinhole_camera(1280, 720, 45.0)
    renderer = FaceRenderer(pipeline.model, Appearance.random(3), texture_width=256)
    near, far = facing(-0.12, 0.55), facing(0.35, 1.5)
    image = render_scene([SceneFace(renderer, pipeline.model.mean, pose) for pose in (near, far)], camera)
    tracked = [pipeline(Frame(image, number * FRAME_NS, "camera_optical_frame", camera)) for number in range(36)]
    pipeline.close()
    assert len(tracked[0]) == 1
    assert len(tracked[-1]) == 2


def test_a_still_image_is_not_smoothed(portrait: NDArray[np.uint8]) -> None:
    shown = frame(np.roll(portrait, 7, axis=0), 0)
    answers = []
    for method in ("one_euro", "none"):
        pipeline = Pipeline(PerceptionConfig(smoothing=SmoothingConfig(method=method)))
        answers.append(pipeline.still(shown)[0])
        pipeline.close()
    np.testing.assert_array_equal(answers[0].blendshapes.values, answers[1].blendshapes.values)
    np.testing.assert_allclose(answers[0].fit.pose.position, answers[1].fit.pose.position, atol=1e-9)


def test_the_results_of_all_stages_agree(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    (face,) = [pipeline(frame(portrait, number)) for number in range(3)][-1]
    assert face.landmarks is not None
    assert overlap(face.roi, bounding_box(face.landmarks.points)) > 0.95
    assert containment(bounding_box(face.fit.landmarks68), face.roi) > 0.8
    x, y = face.fit.weak_perspective[:2, 3]
    assert [x - 1, CAMERA.height - y] == pytest.approx(face.fit.landmarks68[27, :2], abs=3.0)  # pixels; the sellion
    assert face.confidence == face.fit.confidence > 0.7


def test_the_backend_mediapipe_tasks_tracks_a_face(portrait: NDArray[np.uint8]) -> None:
    pytest.importorskip("mediapipe")
    task = ROOT.parent / "shared/models/mediapipe/face_landmarker.task"
    if not task.is_file():
        pytest.skip(f"MediaPipe's face_landmarker.task is not in {task.parent}")
    landmarks = LandmarksConfig(backend="mediapipe_tasks", model_path=str(task))
    pipeline = Pipeline(PerceptionConfig(landmarks=landmarks))
    seen = [pipeline(frame(portrait, number)) for number in range(4)]
    wall = pipeline(frame(np.full_like(portrait, 120), 4))
    pipeline.close()
    assert {tuple(face.id for face in faces) for faces in seen} == {("f1",)}
    assert all(faces[0].landmarks is not None for faces in seen)
    assert wall == ()


def test_halves_in_two_threads_give_the_same_faces(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    other = Pipeline(PerceptionConfig())
    numbers = [*range(8), *range(-40, -34)]  # time goes back by more than a second: all stages are reset
    images = [np.roll(portrait, 4 * index, axis=1) for index in range(len(numbers))]
    frames = [frame(image, 100 + number) for number, image in zip(numbers, images, strict=True)]
    with ThreadPoolExecutor(1) as finisher:
        answers = [finisher.submit(other.finish, other.measure(one)) for one in frames]
    found, expected = [answer.result() for answer in answers], [pipeline(one) for one in frames]
    other.close()
    assert {face.id for faces in expected for face in faces} == {"f1", "f2"}
    for faces, same in zip(found, expected, strict=True):
        assert [face.id for face in faces] == [face.id for face in same]
        for face, twin in zip(faces, same, strict=True):
            np.testing.assert_array_equal(face.blendshapes.values, twin.blendshapes.values)
            np.testing.assert_array_equal(face.fit.pose.position, twin.fit.pose.position)


def test_state_of_the_halves_is_the_whole_state(pipeline: Pipeline, portrait: NDArray[np.uint8]) -> None:
    for number in range(4):
        pipeline(frame(portrait, number))
    assert pipeline.whole_state(pipeline.measuring_state()).keys() == pipeline.state_dict().keys()
    assert pipeline.state_dict()["stages"].keys() == pipeline._stages().keys()
