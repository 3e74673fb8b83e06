"""Face detectors on synthetic faces, and the arithmetic of FaceBoxes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import DetectionConfig
from face_expr_ros.core.geometry import (
    bounding_box,
    crop_from_box,
    crop_from_landmarks,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
)
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Detection, FloatArray, Pose, Roi
from face_expr_ros.perception.detection import FaceDetector, faceboxes, open_detector
from face_expr_ros.perception.detection.boxes import best_of, containment, cut_out, overlap, reduced, reduction, shrink
from face_expr_ros.synthetic.scene import FaceRenderer

CAMERA = pinhole_camera(640, 480, 45.0)
WALL = np.full((480, 640, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def mediapipe() -> Iterator[FaceDetector]:
    detector = open_detector(DetectionConfig())
    yield detector
    detector.close()


def person(
    renderer: FaceRenderer, *, yaw: float = 0.0, roll: float = 0.0, x: float = 0.0, distance: float = 0.7
) -> tuple[NDArray[np.uint8], FloatArray]:
    """An image and the 68 points (68, 2) of the face in it; angles in degrees, meters."""
    pose = Pose(rotation_from_euler(math.radians(yaw), 0.0, math.radians(roll)), np.array([x, 0.0, distance]), True)
    points = to_camera(renderer.model.mean[renderer.model.landmarks68], pose)
    return renderer.render(renderer.model.mean, pose, CAMERA), project(points, CAMERA)


def assert_crop_shows(detection: Detection, points: FloatArray) -> None:
    """The crop is centered on the face and as large as it or somewhat larger."""
    crop, true = crop_from_box(detection.roi), crop_from_landmarks(points)
    offset = [crop.x + crop.width / 2 - true.x - true.width / 2, crop.y + crop.height / 2 - true.y - true.height / 2]
    assert np.abs(offset).max() < 0.15 * true.width
    assert 0.95 < crop.width / true.width < 1.4


@pytest.mark.parametrize("backend", ["blazeface", "blazeface_short", "blazeface_full"])
@pytest.mark.parametrize("yaw", [-80, -40, 0, 60])
def test_a_face_is_found_at_every_yaw_with_the_right_crop(renderer: FaceRenderer, backend: str, yaw: float) -> None:
    image, points = person(renderer, yaw=yaw)
    detector = open_detector(DetectionConfig(backend=backend))
    (found,) = detector(image)
    detector.close()
    assert_crop_shows(found, points)
    assert found.score > 0.5


@pytest.mark.parametrize("roll", [-30, 0, 25])
def test_the_roll_is_the_angle_of_the_eye_line(renderer: FaceRenderer, mediapipe: FaceDetector, roll: float) -> None:
    (found,) = mediapipe(person(renderer, roll=roll)[0])
    assert math.degrees(found.roll) == pytest.approx(roll, abs=6.0)  # degrees


def test_a_small_face_is_found_by_a_closer_search(renderer: FaceRenderer, mediapipe: FaceDetector) -> None:
    image, points = person(renderer, x=0.3, distance=1.9)
    small = np.full((960, 1280, 3), 120, np.uint8)
    small[240:720, 320:960] = image
    found, *_ = mediapipe(small)
    assert_crop_shows(found, points + np.array([320, 240]))
    assert found.score > 0.7


def test_a_thorough_search_finds_smaller_faces(renderer: FaceRenderer, mediapipe: FaceDetector) -> None:
    image, points = person(renderer, distance=2.4)
    large = np.full((1440, 1920, 3), 120, np.uint8)
    large[100:580, 1200:1840] = image
    assert mediapipe(large) == []
    found, *_ = mediapipe(large, thorough=True)
    assert_crop_shows(found, points + np.array([1200, 100]))


@pytest.mark.parametrize("roll", [-90, 90])
def test_a_thorough_search_finds_rotated_faces(renderer: FaceRenderer, mediapipe: FaceDetector, roll: float) -> None:
    image, points = person(renderer, roll=roll)
    found = mediapipe(image, thorough=True)
    assert overlap(found[0].roi, bounding_box(points)) > 0.4
    assert math.degrees(found[0].roll) == pytest.approx(roll, abs=20.0)  # degrees


def test_a_closer_search_finds_only_the_face_in_the_box(renderer: FaceRenderer, mediapipe: FaceDetector) -> None:
    image, points = person(renderer, x=0.1)
    box = bounding_box(points)
    found = mediapipe.closer(image, box)
    assert found is not None
    assert_crop_shows(found, points)
    assert mediapipe.closer(image, Roi(0, 0, box.width, box.height)) is None
    assert mediapipe.closer(image, Roi(-5000, 90, box.width, box.height)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (33, 40), (480, 640)])
@pytest.mark.parametrize("thorough", [False, True])
def test_an_image_of_any_size_without_a_face_gives_none(
    mediapipe: FaceDetector, size: tuple[int, int], thorough: bool
) -> None:
    assert mediapipe(np.full((*size, 3), 120, np.uint8), thorough) == []


@pytest.mark.slow
def test_a_hundred_megapixels_are_searched(renderer: FaceRenderer, mediapipe: FaceDetector) -> None:
    image, points = person(renderer)
    huge = np.full((10_000, 10_000, 3), 120, np.uint8)
    huge[2000:6800, 1000:7400] = image.repeat(10, axis=0).repeat(10, axis=1)
    found, *_ = mediapipe(huge)
    crop, true = crop_from_box(found.roi), crop_from_landmarks(points * 10 + np.array([1004.5, 2004.5]))
    assert overlap(crop, true) > 0.4, "the face has 20 pixels in the network's input"


def test_faceboxes_without_its_network_is_a_config_error() -> None:
    with pytest.raises(
        ConfigError, match=r"detection\.backend faceboxes: expected a bundle with that network, such as 3ddfa_v2"
    ):
        open_detector(DetectionConfig(backend="faceboxes"))


@pytest.mark.parametrize(
    ("other", "union", "smaller"),
    [
        (Roi(0, 0, 10, 10), 1.0, 1.0),
        (Roi(5, 0, 10, 10), 1 / 3, 0.5),
        (Roi(2, 2, 5, 5), 0.25, 1.0),
        (Roi(20, 0, 10, 10), 0.0, 0.0),
        (Roi(0, 0, 0, 0), 0.0, 0.0),
    ],
)
def test_overlap_is_relative_to_the_union_containment_to_the_smaller(other: Roi, union: float, smaller: float) -> None:
    assert overlap(Roi(0, 0, 10, 10), other) == pytest.approx(union)
    assert containment(Roi(0, 0, 10, 10), other) == pytest.approx(smaller)


def test_non_maximum_suppression_keeps_the_best_boxes() -> None:
    boxes = [Detection(Roi(x, 0, 10, 10), score, 0.0) for x, score in ((0, 0.5), (2, 0.9), (30, 0.4), (8, 0.7))]
    assert [detection.score for detection in best_of(boxes, 0.3)] == [0.9, 0.7, 0.4]


@pytest.mark.parametrize(
    ("size", "factor", "small"),
    [
        ((720, 1280), 1, (720, 1280)),
        ((1080, 1920), 2, (540, 960)),
        ((2160, 3841), 4, (540, 960)),
        ((1, 3000), 3, (1, 1000)),
    ],
)
def test_large_images_are_reduced_by_whole_factors(size: tuple[int, int], factor: int, small: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert reduction(image, 1280) == factor
    found = reduced(image, 1280)
    assert found.shape == (*small, 3)
    if size[0] >= factor:
        assert found[0, 0] == pytest.approx(image[:factor, :factor].mean(axis=(0, 1)), abs=1)
    assert (found is image) == (factor == 1)


def test_shrinking_returns_the_scale_and_keeps_small_images() -> None:
    small, scale = shrink(np.zeros((500, 2000, 3), np.uint8), 1000)
    assert small.shape == (250, 1000, 3)
    assert scale == 0.5
    assert shrink(WALL, 1000)[0] is WALL
    assert shrink(np.zeros((1, 5000, 3), np.uint8), 1000)[0].shape == (1, 1000, 3)


@pytest.mark.parametrize(
    ("roi", "left", "top", "shape"),
    [
        (Roi(100, 100, 40, 20), 70, 60, (100, 100, 3)),
        (Roi(-20, -20, 40, 40), 0, 0, (50, 50, 3)),
        (Roi(9000, 100, 40, 40), 8970, 70, (100, 0, 3)),
    ],
)
def test_a_cut_out_stays_within_the_image(roi: Roi, left: int, top: int, shape: tuple[int, int, int]) -> None:
    x, y, part = cut_out(WALL, roi)
    assert (x, y, part.shape) == (left, top, shape)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (480, 640), (333, 257)])
def test_prior_boxes_are_on_the_grids_of_the_feature_maps(height: int, width: int) -> None:
    priors = faceboxes.priors(height, width)
    cells = [math.ceil(height / step) * math.ceil(width / step) for step in (32, 64, 128)]
    assert len(priors) == 21 * cells[0] + cells[1] + cells[2]
    assert priors[0].tolist() == [0, 0, 32, 32]
    assert priors[1].tolist() == [8, 0, 32, 32], "four by four in a cell, row by row"
    assert priors[17].tolist() == [16, 0, 64, 64], "two by two"
    assert priors[20].tolist() == [16, 16, 128, 128]
    assert priors[21 * cells[0]].tolist() == [32, 32, 256, 256]
    assert priors[-1, 2:].tolist() == [512, 512]


class _Network:
    """A network that outputs one face at the prior box nearest to it, as FaceBoxes encodes it."""

    def __init__(self, box: FloatArray, score: float) -> None:
        self.box, self.score = box, score
        self.seen: list[NDArray[np.float32]] = []

    def __call__(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.seen.append(batch)
        priors = faceboxes.priors(*batch.shape[2:])
        center, size = (self.box[:2] + self.box[2:]) / 2, self.box[2:] - self.box[:2]
        nearest = int(np.argmin(np.abs(np.hstack([priors[:, :2] - center, priors[:, 2:] - size])).sum(axis=1)))
        offsets, scores = np.zeros((1, len(priors), 4), np.float32), np.zeros((1, len(priors), 2), np.float32)
        offsets[0, nearest, :2] = (center - priors[nearest, :2]) / priors[nearest, 2:] / 0.1
        offsets[0, nearest, 2:] = np.log(size / priors[nearest, 2:]) / 0.2
        scores[0, :, 0], scores[0, nearest] = 1.0, [1 - self.score, self.score]
        return [offsets, scores]


def with_network(monkeypatch: pytest.MonkeyPatch, network: _Network) -> faceboxes.FaceBoxes:
    monkeypatch.setattr(faceboxes, "open_network", lambda *arguments: network)
    return faceboxes.FaceBoxes(Path("nowhere"), min_score=0.3)


@pytest.mark.parametrize("box", [(10, 20, 45, 60), (100, 40, 340, 300), (-20, 30, 90, 160)])
def test_the_output_of_faceboxes_is_decoded_to_image_pixels(
    monkeypatch: pytest.MonkeyPatch, box: tuple[int, int, int, int]
) -> None:
    network = _Network(np.array(box, float), score=0.8)
    (found,) = with_network(monkeypatch, network)(WALL)
    left, top, right, bottom = box
    assert (found.roi.x, found.roi.y) == pytest.approx((left - 0.5, top - 0.5), abs=1e-3)
    assert (found.roi.width, found.roi.height) == pytest.approx((right - left, bottom - top), abs=1e-3)
    assert found.score == pytest.approx(0.8)
    assert network.seen[0][0, :, 5, 5].tolist() == [120 - 104, 120 - 117, 120 - 123], "blue, green, red"


def test_faceboxes_scales_large_images_down_less_if_thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _Network(np.array([100.0, 100.0, 140.0, 150.0]), score=0.8)
    detector = with_network(monkeypatch, network)
    image = np.zeros((1440, 2560, 3), np.uint8)
    quick, thorough = detector(image)[0], detector(image, thorough=True)[0]
    assert [batch.shape for batch in network.seen] == [(1, 3, 360, 640), (1, 3, 720, 1280)]
    assert quick.roi.width == pytest.approx(160, abs=0.01)
    assert thorough.roi.width == pytest.approx(80, abs=0.01)


def test_faceboxes_drops_detections_below_the_minimum_score(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_network(monkeypatch, _Network(np.array([10.0, 20.0, 45.0, 60.0]), score=0.29))(WALL) == []


@pytest.mark.parametrize("yaw", [-85, 0, 50])
def test_the_released_faceboxes_finds_a_rendered_face(renderer: FaceRenderer, tddfa_bundle: Path, yaw: float) -> None:
    detector = open_detector(DetectionConfig(backend="faceboxes"), tddfa_bundle / "faceboxes.onnx")
    image, points = person(renderer, yaw=yaw)
    (found,) = detector(image)
    assert_crop_shows(found, points)
    closer = detector.closer(image, bounding_box(points))
    assert closer is not None
    assert_crop_shows(closer, points)
    assert detector(WALL) == []
    assert detector(WALL[:1, :1]) == []


def test_an_image_of_a_wall_gives_no_detection() -> None:
    detector = open_detector(DetectionConfig())
    assert detector(WALL) == []
    detector.close()
