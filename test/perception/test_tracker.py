"""Persistent ids: faces that move, cross, leave, return, are detected twice, or turn to profile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from face_expr_ros.core.config import TrackerConfig
from face_expr_ros.core.types import Detection, FaceFit, Landmarks, Pose, Roi, Track
from face_expr_ros.perception.tracker import Tracker

FRAME_NS = 33_000_000
DETECTION_INTERVAL = 5  # frames
SEEN = Landmarks(np.zeros((478, 3), np.float32), 1.0)


@dataclass(frozen=True)
class Head:
    """A face in the image: center and size of its 68 points in pixels; what finds it, and the fit's confidence."""

    x: float
    y: float = 300.0
    size: float = 100.0
    by_detector: bool = True
    by_facemesh: bool = True
    confidence: float = 1.0

    def detection(self) -> Detection:
        side = 1.05 * self.size  # the forehead is in the box too
        return Detection(Roi(self.x - side / 2, self.y - 0.67 * side, side, side), 0.9, roll=0.0)

    def fit(self, roll: float = 0.0) -> FaceFit:
        unit = np.random.default_rng(1).uniform(-0.5, 0.5, (68, 3))
        unit[:2] = [[-0.5, -0.5, 0], [0.5, 0.5, 0]]
        upright = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return FaceFit(
            pose=Pose(np.eye(3), np.ones(3), metric=True),
            shape=np.zeros(1),
            expression=np.zeros(1),
            residual=0.0,
            landmarks68=unit * self.size + [self.x, self.y, 0],
            weak_perspective=np.column_stack([upright, np.zeros(3)]),
            confidence=self.confidence,
        )


FAILED_FIT = replace(Head(0.0).fit(), confidence=0.0)


class Line:
    """An ideal pipeline around the tracker: every track fits the face nearest to the center of its crop."""

    def __init__(self, config: TrackerConfig | None = None, max_faces: int = 4) -> None:
        self.tracker = Tracker(config or TrackerConfig(max_distance=0.75, lost_track_timeout=1.0), max_faces)
        self.frames_since_detection = DETECTION_INTERVAL
        self.tracks: list[Track] = []

    def __call__(self, heads: list[Head], stamp_ns: int) -> dict[str, float]:
        """Id -> column of its face in pixels."""
        detections = None
        self.frames_since_detection += 1
        if not self.tracker.can_predict(stamp_ns) or self.frames_since_detection >= DETECTION_INTERVAL:
            self.frames_since_detection = 0
            detections = [head.detection() for head in heads if head.by_detector]
        self.tracks = self.tracker(detections, stamp_ns)
        seen = [self._nearest(track, heads) for track in self.tracks]
        tracks = [
            replace(track, landmarks=SEEN if head and head.by_facemesh else None)
            for track, head in zip(self.tracks, seen, strict=True)
        ]
        held = self.tracker.update(tracks, [head.fit() if head else FAILED_FIT for head in seen], stamp_ns)
        return {track.id: head.x for track, head, kept in zip(tracks, seen, held, strict=True) if kept and head}

    def _nearest(self, track: Track, heads: list[Head]) -> Head | None:
        x, y = track.crop.x + track.crop.width / 2, track.crop.y + track.crop.height / 2
        near = [head for head in heads if np.hypot(head.x - x, head.y - y) < 0.6 * track.crop.width]
        return min(near, key=lambda head: float(np.hypot(head.x - x, head.y - y)), default=None)


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_face_that_moves_keeps_its_id(line: Line) -> None:
    assert {face for i in range(50) for face in line([Head(100 + 15 * i)], i * FRAME_NS)} == {"f1"}


def test_the_order_of_detections_does_not_matter(line: Line) -> None:
    line([Head(100), Head(500)], 0)
    line.tracker.reset()
    tracker = line.tracker
    first = tracker([Head(100).detection(), Head(500).detection()], 0)
    tracker.update(first, [Head(100).fit(), Head(500).fit()], 0)
    again = tracker([Head(500).detection(), Head(100).detection()], FRAME_NS)
    assert [(track.id, track.crop) for track in again] == [
        (before.id, after.crop) for before, after in zip(first, again, strict=True)
    ]
    assert again[0].crop.x < again[1].crop.x


def test_two_faces_that_cross_keep_their_ids(line: Line) -> None:
    for i in range(42):
        seen = line([Head(100 + 20 * i, y=290), Head(900 - 20 * i, y=400)], i * FRAME_NS)
    assert seen == {"f1": 920, "f2": 80}


def test_a_face_hidden_while_two_cross_gets_its_id_back(line: Line) -> None:
    for i in range(60):
        left, right = 100 + 20 * i, 900 - 20 * i
        hidden = abs(left - right) < 110
        seen = line([Head(right)] if hidden else [Head(left), Head(right)], i * FRAME_NS)
    assert seen == {"f1": left, "f2": right}


def test_a_lost_face_keeps_its_id_until_the_timeout(line: Line) -> None:
    line([Head(100)], 0)
    assert line([], FRAME_NS) == {}
    assert list(line([Head(105)], int(0.5e9))) == ["f1"]
    line([], int(0.6e9))
    assert list(line([Head(105)], int(1.6e9))) == ["f2"]


def test_ids_survive_dropped_images_but_not_a_long_pause(line: Line) -> None:
    for stamp in (0.0, 0.9, 2.4):  # seconds; no frame between them shows that it has gone
        assert list(line([Head(100)], int(stamp * 1e9))) == ["f1"]
    assert list(line([Head(100)], int(6e9))) == ["f2"]


@pytest.mark.parametrize("gap", [0.4, 0.8, 1.5])
def test_a_fast_face_that_stopped_during_a_gap_keeps_its_id(line: Line, gap: float) -> None:
    for i in range(10):  # 450 pixels, more than four face widths, per second
        line([Head(100 + 15 * i)], i * FRAME_NS)
    assert list(line([Head(250)], 9 * FRAME_NS + int(gap * 1e9))) == ["f1"]


def test_timeout_zero_deletes_a_track_in_the_first_frame_without_it() -> None:
    line = Line(TrackerConfig(lost_track_timeout=0.0))
    assert {face for i in range(5) for face in line([Head(100)], i * FRAME_NS)} == {"f1"}
    line([], 5 * FRAME_NS)
    assert list(line([Head(100)], 6 * FRAME_NS)) == ["f2"]


def test_a_face_that_appears_elsewhere_gets_a_new_id(line: Line) -> None:
    line([Head(100)], 0)
    assert line([Head(600)], FRAME_NS) == {}
    assert list(line([Head(600)], 2 * FRAME_NS)) == ["f2"]


def test_duplicate_detections_start_one_track(line: Line) -> None:
    assert len(line.tracker([Head(100).detection(), Head(104).detection()], 0)) == 1


def test_of_two_tracks_on_one_face_the_older_is_kept(line: Line) -> None:
    line([Head(100)], 0)
    tracks = line.tracker([Head(100).detection(), Head(210).detection()], FRAME_NS)
    assert [track.id for track in tracks] == ["f1", "f2"]
    held = line.tracker.update(tracks, [Head(100).fit(), Head(102).fit()], FRAME_NS)
    assert held == [True, False]


def test_max_faces_keeps_the_largest_faces() -> None:
    line = Line(max_faces=2)
    heads = [Head(100, size=60), Head(400, size=120), Head(700, size=90)]
    assert sorted(line(heads, 0).values()) == [400, 700]
    assert sorted(line(heads, FRAME_NS).values()) == [400, 700]


def test_ids_are_not_reused_after_a_reset(line: Line) -> None:
    line([Head(100)], 10**9)
    line.tracker.reset()
    assert list(line([Head(100)], 0)) == ["f2"]


@pytest.mark.parametrize("elapsed_ns", [0, -FRAME_NS])
def test_equal_or_earlier_stamps_keep_the_id(line: Line, elapsed_ns: int) -> None:
    line([Head(100)], 10**9)
    assert list(line([Head(102)], 10**9 + elapsed_ns)) == ["f1"]


def test_an_image_without_faces_gives_no_tracks(line: Line) -> None:
    assert line([], 0) == {}


def test_an_unconfirmed_profile_is_deleted_after_the_timeout() -> None:
    line = Line(TrackerConfig(unconfirmed_timeout=3.0))
    line([Head(100)], 0)
    profile = Head(100, by_detector=False, by_facemesh=False)
    seconds = [i * 0.033 for i in range(1, 200) if line([profile], i * FRAME_NS)]
    assert max(seconds) == pytest.approx(3.0, abs=0.1)  # seconds
    assert len(seconds) == pytest.approx(90, abs=3)


def test_a_profile_that_the_detector_confirms_is_kept() -> None:
    line = Line(TrackerConfig(unconfirmed_timeout=1.0))
    line([Head(100)], 0)
    for i in range(1, 400):
        head = Head(100, by_detector=i % 25 == 0, by_facemesh=False)
        assert list(line([head], i * FRAME_NS)) == ["f1"]


def test_a_fit_without_confidence_is_lost_and_can_return(line: Line) -> None:
    line([Head(100)], 0)
    assert line([Head(100, confidence=0.01)], FRAME_NS) == {}
    assert list(line([Head(100)], 2 * FRAME_NS)) == ["f1"]


def test_only_new_tracks_and_those_after_a_gap_are_fresh(line: Line) -> None:
    line([Head(100)], 0)
    assert [track.fresh for track in line.tracks] == [True]
    line([Head(110)], FRAME_NS)
    (track,) = line.tracks
    assert not track.fresh
    assert track.crop.x + track.crop.width / 2 == pytest.approx(100)
    line([Head(110)], int(0.5e9))
    assert [track.fresh for track in line.tracks] == [True], "after a gap the crop may be wrong"


def test_a_face_that_jumped_gets_its_crop_from_the_detection(line: Line) -> None:
    line([Head(100)], 0)
    tracks = line.tracker([Head(165).detection()], FRAME_NS)
    assert [(track.id, track.fresh) for track in tracks] == [("f1", True)]
    assert tracks[0].crop.x + tracks[0].crop.width / 2 == pytest.approx(165)


def test_the_roll_of_a_track_comes_from_its_last_fit(line: Line) -> None:
    tracks = line.tracker([Head(100).detection()], 0)
    line.tracker.update(tracks, [Head(100).fit(roll=0.4)], 0)
    assert line.tracker(None, FRAME_NS)[0].roll == pytest.approx(0.4)


def test_a_lost_id_is_listed_until_the_timeout() -> None:
    line = Line(TrackerConfig(lost_track_timeout=1.0))
    line([Head(300.0)], 0)
    line([Head(300.0)], FRAME_NS)
    assert line.tracker.ids == {"f1"}
    line([], 2 * FRAME_NS)
    line([], int(0.9e9))
    assert line.tracker.ids == {"f1"}
    line([], int(1.2e9))
    assert line.tracker.ids == set()


def test_ids_start_at_the_given_number_with_the_prefix() -> None:
    tracker = Tracker(TrackerConfig(), 20, "front_", 9)
    heads = [Head(100.0 + 300.0 * column) for column in range(3)]
    tracks = tracker([head.detection() for head in heads], 0)
    assert [track.id for track in tracks] == ["front_f9", "front_f10", "front_f11"]
