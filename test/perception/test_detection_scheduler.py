"""When the detector runs: on the frame itself where its result is needed, on the previous one where time is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Detection, Face, Frame, Roi
from face_expr_ros.perception.detection_scheduler import DetectionScheduler
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.perception.tracker import Tracker

Image = NDArray[np.uint8]

FAST_NS, SLOW_NS = 33_000_000, 100_000_000  # between two frames
FAST, SLOW = (
    ceil(PerceptionConfig().detection.interval * 1e9 / step) for step in (FAST_NS, SLOW_NS)
)  # frames per detection pass


class Recorded:
    """A detector that records its images."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self.images: list[Image] = []

    def __call__(self, image: Image, thorough: bool = False, tracked: Sequence[Roi] = ()) -> list[Detection]:
        self.images.append(image)
        found: list[Detection] = self._detector(image, thorough, tracked)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    result = Pipeline(PerceptionConfig())
    yield result
    result.close()


@pytest.fixture
def detector(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded(pipeline._detector)
    monkeypatch.setattr(pipeline._scheduler, "_detector", recorded)
    return recorded


def frames(images: Sequence[Image], step_ns: int) -> list[Frame]:
    height, width = images[0].shape[:2]
    camera = pinhole_camera(width, height, 45.0)
    return [Frame(image, number * step_ns, "camera_optical_frame", camera) for number, image in enumerate(images)]


def second_face(portrait: Image) -> list[Image]:
    """A face, and after three images another one next to it."""
    alone = np.hstack([portrait, np.full_like(portrait, 120)])
    return [alone] * 3 + [np.hstack([portrait, portrait])] * (2 * FAST)


def processed(film: Sequence[Frame], deferred: bool) -> list[tuple[Face, ...]]:
    pipeline = Pipeline(PerceptionConfig())
    seen = []
    for frame in film:
        seen.append(pipeline(frame))
        if deferred:
            pipeline.run_deferred_detection()
    pipeline.close()
    return seen


def test_running_deferred_detection_early_does_not_change_the_faces(portrait: Image) -> None:
    film = frames(second_face(portrait), FAST_NS)
    first, second = processed(film, deferred=False), processed(film, deferred=True)
    assert [[face.id for face in faces] for faces in first] == [[face.id for face in faces] for faces in second]
    for one, other in zip(first, second, strict=True):
        for face, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(face.fit.landmarks68, same.fit.landmarks68)
            np.testing.assert_array_equal(face.blendshapes.values, same.blendshapes.values)


@pytest.mark.parametrize(("step_ns", "interval"), [(FAST_NS, FAST), (SLOW_NS, SLOW)])
def test_a_new_face_is_found_within_two_detection_intervals(portrait: Image, step_ns: int, interval: int) -> None:
    seen = processed(frames(second_face(portrait), step_ns), deferred=False)
    assert {face.id for face in seen[3 + 2 * interval - 1]} == {"f1", "f2"}


def test_the_detector_runs_once_per_interval(pipeline: Pipeline, detector: Recorded, portrait: Image) -> None:
    for frame in frames([portrait] * (4 * SLOW), SLOW_NS):
        pipeline(frame)
    assert len(detector.images) == 4


def test_at_a_high_rate_the_previous_frame_is_searched(pipeline: Pipeline, detector: Recorded, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(FAST + 2)], FAST_NS)
    for frame in film:
        pipeline(frame)
    assert [id(image) for image in detector.images] == [id(film[0].image), id(film[FAST].image)]


def test_at_a_low_rate_the_current_frame_is_searched(pipeline: Pipeline, detector: Recorded, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(SLOW + 1)], SLOW_NS)
    for frame in film:
        pipeline(frame)
        pipeline.run_deferred_detection()
    assert [id(image) for image in detector.images] == [id(film[0].image), id(film[SLOW].image)]


def test_a_late_frame_is_searched_itself(pipeline: Pipeline, detector: Recorded, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(FAST + 1)], FAST_NS)
    for frame in film:
        pipeline(frame)
        pipeline.run_deferred_detection()
    assert detector.images[-1] is film[-1].image
    late = frames([portrait.copy()] * (FAST + 5), FAST_NS)[-1]
    pipeline(late)
    assert detector.images[-1] is late.image


def test_a_reset_drops_the_deferred_result(pipeline: Pipeline, detector: Recorded, portrait: Image) -> None:
    *film, last = frames([portrait.copy() for _ in range(FAST + 2)], FAST_NS)
    for frame in film:
        pipeline(frame)
    pipeline.run_deferred_detection()
    pipeline.reset()
    pipeline(last)
    assert detector.images[-1] is last.image


WALL = np.full((60, 80, 3), 120, np.uint8)
FACE = Detection(Roi(20, 10, 30, 30), 0.9, roll=0.0)


class Tracks(Tracker):
    """A tracker in a given state."""

    def __init__(self, *, in_view: bool, room: bool, unconfirmed: bool) -> None:
        self.in_view, self.room, self.unconfirmed = in_view, room, unconfirmed

    def can_predict(self, stamp_ns: int) -> bool:
        return self.in_view

    def can_add_tracks(self) -> bool:
        return self.room

    def has_faces(self) -> bool:
        return self.in_view

    def boxes(self) -> list[Roi]:
        return [FACE.roi] if self.in_view else []

    def unconfirmed_boxes(self) -> list[Roi]:
        return [FACE.roi] if self.unconfirmed else []


class OneFace:
    """A detector that always finds a face, and finds none when it searches closer."""

    passes = 0

    def __call__(self, image: Image, thorough: bool = False, tracked: Sequence[Roi] = ()) -> list[Detection]:
        self.passes += 1
        return [FACE]

    def closer(self, image: Image, roi: Roi) -> Detection | None:
        return None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@pytest.mark.parametrize(
    ("tracks", "passes"),
    [
        (Tracks(in_view=False, room=True, unconfirmed=False), 20),
        (Tracks(in_view=True, room=False, unconfirmed=False), 0),
        (Tracks(in_view=True, room=True, unconfirmed=False), 4),
        (Tracks(in_view=True, room=False, unconfirmed=True), 4),
    ],
    ids=["no face in view", "all faces confirmed", "room for more faces", "an unconfirmed face"],
)
@pytest.mark.parametrize("step_ns", [FAST_NS, SLOW_NS])
def test_the_detector_runs_only_when_it_can_change_the_tracks(tracks: Tracks, passes: int, step_ns: int) -> None:
    detector = OneFace()
    scheduler = DetectionScheduler(detector, tracks, interval=5 * step_ns * 1e-9)
    for frame in frames([WALL] * 20, step_ns):
        scheduler(frame)
        scheduler.defer(frame)
    assert detector.passes == passes


@pytest.mark.parametrize(("idle_interval", "passes"), [(0.0, 90), (0.5, 31 + 4), (10.0, 31)])
def test_an_empty_view_is_searched_at_the_idle_interval(idle_interval: float, passes: int) -> None:
    detector = OneFace()
    nobody = Tracks(in_view=False, room=True, unconfirmed=False)
    scheduler = DetectionScheduler(detector, nobody, 0.25, idle_interval)
    for frame in frames([WALL] * 90, FAST_NS):  # three seconds; every frame of the first one is searched
        scheduler(frame)
        scheduler.defer(frame)
        scheduler.run_deferred()
    assert detector.passes == pytest.approx(passes, abs=1)


def test_every_frame_is_searched_after_a_face_was_lost() -> None:
    detector, tracks = OneFace(), Tracks(in_view=False, room=True, unconfirmed=False)
    scheduler, film = DetectionScheduler(detector, tracks, 0.25, 10.0), frames([WALL] * 120, FAST_NS)
    for frame in film[:60]:
        scheduler(frame)
    tracks.in_view = True
    scheduler(film[60])
    tracks.in_view, before = False, detector.passes
    for frame in film[61:120]:
        scheduler(frame)
    assert detector.passes - before == pytest.approx(30, abs=1)


def test_a_thorough_search_ignores_the_idle_interval() -> None:
    detector = OneFace()
    scheduler = DetectionScheduler(detector, Tracks(in_view=False, room=True, unconfirmed=False), 0.25, 10.0)
    for frame in frames([WALL] * 60, FAST_NS):
        scheduler(frame)
    before = detector.passes
    scheduler(frame, thorough=True)
    assert detector.passes == before + 1


def test_an_untracked_detection_starts_a_pass_and_joins_its_result() -> None:
    detector = OneFace()
    scheduler = DetectionScheduler(detector, Tracks(in_view=True, room=False, unconfirmed=False), interval=1.0)
    (frame,) = frames([WALL], FAST_NS)
    elsewhere = Detection(Roi(60, 10, 30, 30), 0.8, roll=0.0)
    assert scheduler(frame) is None
    assert scheduler(frame, [elsewhere]) == [FACE, elsewhere]


def test_the_state_of_a_scheduler_contains_the_deferred_result() -> None:
    tracks = Tracks(in_view=True, room=True, unconfirmed=False)
    first, second = (DetectionScheduler(OneFace(), tracks, interval=FAST_NS * 1e-9) for _ in range(2))
    film = frames([WALL] * 5, FAST_NS)
    for frame in film[:4]:
        first(frame)
        first.defer(frame)
    second.load_state_dict(first.state_dict())
    assert first(film[4]) == second(film[4]) == [FACE]
