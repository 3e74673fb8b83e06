"""FaceMesh on the regions of tracks, with and without a face, and the backend of MediaPipe Tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import ROOT

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.facemesh_regions import IBUG68
from face_expr_ros.core.geometry import (
    bounding_box,
    crop_from_landmarks,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
)
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import FloatArray, Frame, Pose, Roi, Track
from face_expr_ros.perception import mediapipe_version
from face_expr_ros.perception.landmarks import LandmarkDetector, open_landmarks
from face_expr_ros.perception.landmarks.regions import region_of_crop, region_of_points
from face_expr_ros.synthetic.scene import FaceRenderer

CAMERA = pinhole_camera(640, 480, 45.0)
TASK = ROOT.parent / "shared/models/mediapipe/face_landmarker.task"


@pytest.fixture(scope="module")
def opened() -> Iterator[LandmarkDetector]:
    detector = open_landmarks(LandmarksConfig())
    yield detector
    detector.close()


@pytest.fixture
def detector(opened: LandmarkDetector) -> LandmarkDetector:
    opened.reset()
    return opened


def frame(image: NDArray[np.uint8]) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0, "camera_optical_frame", pinhole_camera(width, height, 45.0))


def person(renderer: FaceRenderer, *, roll: float = 0.0) -> tuple[Frame, Track, FloatArray]:
    """An image, the track after an exact fit of the previous frame, and the true points (478, 2)."""
    model = renderer.model
    pose = Pose(rotation_from_euler(0.2, 0.0, math.radians(roll)), np.array([0.02, 0.0, 0.6]), metric=True)
    vertices = to_camera(model.mean, pose)
    crop = crop_from_landmarks(project(vertices[model.landmarks68], CAMERA))
    image = renderer.render(model.mean, pose, CAMERA)
    return frame(image), Track("f1", crop, None, fresh=False, roll=math.radians(roll)), truth(model, vertices)


def truth(model: MorphableModel, vertices: FloatArray) -> FloatArray:
    return project(model.facemesh_points(vertices), CAMERA)


@pytest.mark.parametrize("roll", [-50, 0, 50])
@pytest.mark.parametrize("fresh", [False, True])
def test_the_landmarks_are_on_the_face(
    renderer: FaceRenderer, detector: LandmarkDetector, roll: float, fresh: bool
) -> None:
    shown, track, points = person(renderer, roll=roll)
    (found,) = detector(shown, [replace(track, fresh=fresh)])
    assert found is not None
    height = bounding_box(points).height
    assert np.linalg.norm(found.points[:, :2] - points, axis=1).mean() < 0.05 * height
    assert found.confidence > 0.99


def test_the_landmarks_move_with_the_image(renderer: FaceRenderer, detector: LandmarkDetector) -> None:
    shown, track, _ = person(renderer)
    (first,) = detector(shown, [track])
    wide = np.full((700, 1100, 3), 120, np.uint8)
    wide[130:610, 401:1041] = shown.image
    moved = replace(track, crop=replace(track.crop, x=track.crop.x + 401, y=track.crop.y + 130))
    detector.reset()
    (second,) = detector(frame(wide), [moved])
    assert first is not None
    assert second is not None
    assert second.points - first.points == pytest.approx(np.tile([401, 130, 0], (478, 1)), abs=0.2)  # pixels


def test_the_region_comes_from_the_previous_landmarks(renderer: FaceRenderer, detector: LandmarkDetector) -> None:
    shown, track, _ = person(renderer)
    (first,) = detector(shown, [track])
    lost_crop = replace(track, crop=Roi(0, 0, 50, 50))
    (second,) = detector(shown, [lost_crop])
    assert first is not None
    assert second is not None
    assert second.points == pytest.approx(first.points, abs=1.5)  # pixels
    assert detector(shown, [replace(lost_crop, fresh=True)]) == [None], "a fresh crop has priority over old landmarks"
    assert detector(shown, [lost_crop]) == [None]


def test_each_track_gets_its_own_face(renderer: FaceRenderer, detector: LandmarkDetector) -> None:
    shown, track, points = person(renderer)
    pair = np.hstack([shown.image, np.full_like(shown.image, 120), shown.image])
    tracks = [replace(track, id=f"f{n}", crop=replace(track.crop, x=track.crop.x + 640 * n)) for n in range(3)]
    found = detector(frame(pair), tracks)
    assert found[1] is None
    for n, landmarks in ((0, found[0]), (2, found[2])):
        assert landmarks is not None
        assert landmarks.points[:, 0].mean() == pytest.approx(points[:, 0].mean() + 640 * n, abs=4)  # pixels


@pytest.mark.parametrize(
    "crop",
    [Roi(-900, 0, 300, 300), Roi(0, 0, 0, 0), Roi(0, 0, np.nan, np.nan), Roi(-1e9, -1e9, 2e9, 2e9), Roi(0, 0, 9, 9)],
    ids=["outside", "no size", "not a number", "everything", "a corner"],
)
def test_a_region_without_a_face_has_no_landmarks(
    renderer: FaceRenderer, detector: LandmarkDetector, crop: Roi
) -> None:
    shown, track, _ = person(renderer)
    assert detector(shown, [replace(track, crop=crop)]) == [None]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_an_image_of_any_size_is_processed(detector: LandmarkDetector, size: tuple[int, int]) -> None:
    shown = frame(np.full((*size, 3), 120, np.uint8))
    assert detector(shown, [Track("f1", Roi(-10, -10, 40, 40), None, fresh=True)]) == [None]


def test_the_region_of_landmarks_rotates_with_the_eye_line() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (478, 2))
    points[33], points[263] = [-0.5, -0.2], [0.5, 0.2]
    points[:2] = [[-1, -1.5], [1, 1.5]]
    region = region_of_points(points * 100 + 300)
    assert (region.x, region.y, region.side) == pytest.approx((300, 300, 450))
    assert region.rotation == pytest.approx(math.atan2(0.4, 1.0))


def test_the_region_of_a_crop_matches_that_of_the_landmarks_in_it(renderer: FaceRenderer) -> None:
    for roll in (-40, 0, 40):
        _, track, points = person(renderer, roll=roll)
        crop, expected = region_of_crop(track), region_of_points(points)
        assert (crop.x, crop.y) == pytest.approx((expected.x, expected.y), abs=0.1 * expected.side)
        assert crop.side == pytest.approx(expected.side, rel=0.2)
        assert crop.rotation == pytest.approx(expected.rotation, abs=0.1)  # radians


def test_facemeshs_68_points_are_near_the_models(renderer: FaceRenderer) -> None:
    model = renderer.model
    points = model.facemesh_points(model.mean)[list(IBUG68), :2]
    away = np.linalg.norm(points - model.mean[model.landmarks68, :2], axis=1)
    assert np.median(away) < 0.006  # meters
    assert away.max() < 0.03  # at the ends of the jaw line


@pytest.fixture
def tasks() -> Iterator[LandmarkDetector]:
    pytest.importorskip("mediapipe")
    if not TASK.is_file():
        pytest.skip(f"MediaPipe's face_landmarker.task is not in {TASK.parent}")
    detector = open_landmarks(LandmarksConfig(backend="mediapipe_tasks", model_path=str(TASK)))
    yield detector
    detector.close()


def test_tasks_match_faces_to_tracks_and_report_the_others(renderer: FaceRenderer, tasks: LandmarkDetector) -> None:
    shown, track, points = person(renderer)
    (found,) = tasks(shown, [track])
    assert found is not None
    assert np.linalg.norm(found.points[:, :2] - points, axis=1).mean() < 0.05 * bounding_box(points).height
    assert tasks.untracked_detections == []
    assert tasks(shown, [replace(track, crop=Roi(0, 0, 80, 80))]) == [None]
    (untracked,) = tasks.untracked_detections
    assert untracked.roi.x + untracked.roi.width / 2 == pytest.approx(points[:, 0].mean(), abs=20)  # pixels
    tasks.reset()
    assert tasks.untracked_detections == []


@pytest.mark.parametrize(("content", "words"), [(None, "is not a file"), (b"garbage", "cannot be read")])
def test_a_missing_or_damaged_landmark_model_is_a_config_error(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    pytest.importorskip("mediapipe")
    path = tmp_path / "face_landmarker.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        open_landmarks(LandmarksConfig(backend="mediapipe_tasks", model_path=str(path)))
    assert str(refused.value).startswith("landmarks.model_path: expected the path of MediaPipe's face_landmarker.task")
    assert words in str(refused.value)


@pytest.mark.parametrize("backend", ["mediapipe_solutions", "mediapipe_tasks"])
def test_a_backend_without_mediapipe_is_a_config_error(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setattr(mediapipe_version, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"landmarks\.backend: {backend} needs MediaPipe .*; or choose facemesh"):
        open_landmarks(LandmarksConfig(backend=backend))
