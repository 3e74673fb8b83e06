"""When the detector looks: at the frame itself where somebody must be found, in the last one where time is short."""

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
from face_expr_ros.perception.pipeline import Pipeline

Image = NDArray[np.uint8]

FAST_NS, SLOW_NS = 33_000_000, 100_000_000  # from frame to frame
FAST, SLOW = (ceil(PerceptionConfig().detection.interval * 1e9 / step) for step in (FAST_NS, SLOW_NS))  # look to look


class Watched:
    """A detector, and the images that it was shown."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self.shown: list[Image] = []

    def __call__(self, image: Image, thorough: bool = False, followed: Sequence[Roi] = ()) -> list[Detection]:
        self.shown.append(image)
        found: list[Detection] = self._detector(image, thorough, followed)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    result = Pipeline(PerceptionConfig())
    yield result
    result.close()


@pytest.fixture
def detector(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched(pipeline._detector)
    monkeypatch.setattr(pipeline, "_detector", watched)
    return watched


def frames(images: Sequence[Image], step_ns: int) -> list[Frame]:
    height, width = images[0].shape[:2]
    camera = pinhole_camera(width, height, 45.0)
    return [Frame(image, number * step_ns, "camera_optical_frame", camera) for number, image in enumerate(images)]


def newcomer(portrait: Image) -> list[Image]:
    """A face, and after three images another one beside it."""
    alone = np.hstack([portrait, np.full_like(portrait, 120)])
    return [alone] * 3 + [np.hstack([portrait, portrait])] * (2 * FAST)


def played(film: Sequence[Frame], ahead: bool) -> list[tuple[Face, ...]]:
    pipeline = Pipeline(PerceptionConfig())
    seen = []
    for frame in film:
        seen.append(pipeline(frame))
        if ahead:
            pipeline.run_deferred_detection()
    pipeline.close()
    return seen


def test_the_faces_are_the_same_whether_or_not_anybody_looks_ahead(portrait: Image) -> None:
    film = frames(newcomer(portrait), FAST_NS)
    first, second = played(film, ahead=False), played(film, ahead=True)
    assert [[face.id for face in faces] for faces in first] == [[face.id for face in faces] for faces in second]
    for one, other in zip(first, second, strict=True):
        for face, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(face.fit.landmarks68, same.fit.landmarks68)
            np.testing.assert_array_equal(face.blendshapes.values, same.blendshapes.values)


@pytest.mark.parametrize(("step_ns", "look"), [(FAST_NS, FAST), (SLOW_NS, SLOW)])
def test_who_comes_is_found_at_the_second_look_at_the_latest(portrait: Image, step_ns: int, look: int) -> None:
    seen = played(frames(newcomer(portrait), step_ns), ahead=False)
    assert {face.id for face in seen[3 + 2 * look - 1]} == {"f1", "f2"}


def test_the_detector_looks_as_often_as_the_setting_says(
    pipeline: Pipeline, detector: Watched, portrait: Image
) -> None:
    for frame in frames([portrait] * (4 * SLOW), SLOW_NS):
        pipeline(frame)
    assert len(detector.shown) == 4


def test_at_a_high_rate_the_last_frame_is_looked_at(pipeline: Pipeline, detector: Watched, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(FAST + 2)], FAST_NS)
    for frame in film:
        pipeline(frame)
    assert [id(image) for image in detector.shown] == [id(film[0].image), id(film[FAST].image)]


def test_at_a_low_rate_the_frame_itself_is_looked_at(pipeline: Pipeline, detector: Watched, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(SLOW + 1)], SLOW_NS)
    for frame in film:
        pipeline(frame)
        pipeline.run_deferred_detection()
    assert [id(image) for image in detector.shown] == [id(film[0].image), id(film[SLOW].image)]


def test_a_frame_that_is_late_is_looked_at_itself(pipeline: Pipeline, detector: Watched, portrait: Image) -> None:
    film = frames([portrait.copy() for _ in range(FAST + 1)], FAST_NS)
    for frame in film:
        pipeline(frame)
        pipeline.run_deferred_detection()
    assert detector.shown[-1] is film[-1].image
    late = frames([portrait.copy()] * (FAST + 5), FAST_NS)[-1]
    pipeline(late)
    assert detector.shown[-1] is late.image


def test_a_reset_forgets_what_was_seen_ahead(pipeline: Pipeline, detector: Watched, portrait: Image) -> None:
    *film, last = frames([portrait.copy() for _ in range(FAST + 2)], FAST_NS)
    for frame in film:
        pipeline(frame)
    pipeline.run_deferred_detection()
    pipeline.reset()
    pipeline(last)
    assert detector.shown[-1] is last.image
