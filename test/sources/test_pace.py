"""Images are read ahead of their tick where the source allows it, and a slow source keeps real time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from face_expr_ros.sources import SourceFrame
from face_expr_ros.sources.pace import EndOfSource, Pace

RATE = 10.0
BLACK = np.zeros((2, 2, 3), np.uint8)


@dataclass
class Clock:
    now: float = 100.0  # seconds

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """Takes ``cost`` seconds per image and records the requested image time and the time of the request."""

    clock: Clock
    cost: float
    can_read_ahead: bool = True
    count: int = 1000
    requests: list[tuple[float, float]] = field(default_factory=list)
    times: list[float] | None = None  # of the frames of a video

    def read(self, t: float) -> SourceFrame | None:
        self.requests.append((t, self.clock.now - 100.0))
        self.clock.now += self.cost
        if len(self.requests) > self.count:
            return None
        return SourceFrame(BLACK, time=self.times[len(self.requests) - 1] if self.times else None)

    def close(self) -> None:
        pass


def play(clock: Clock, source: Source, seconds: float, late: float = 0.0) -> list[float]:
    """Seconds from the start at which images are published, by a timer that fires ``late`` after it should."""
    pace = Pace(source, RATE, clock)
    clock.now = 100.0
    published: list[float] = []
    while clock.now < 100.0 + seconds - 1e-9:
        shown = clock.now
        if pace.take() is not None:
            published.append(shown - 100.0)
            pace.prepare()
        clock.now += pace.wait + late
    return published


@pytest.mark.parametrize("cost", [0.0, 0.03, 0.09])
def test_image_is_read_before_its_tick_and_shows_its_time(cost: float) -> None:
    clock = Clock()
    source = Source(clock, cost)
    published = play(clock, source, 2.0)
    assert published == pytest.approx(np.arange(20) / RATE)
    shown = [t for t, _ in source.requests][: len(published)]
    assert shown == pytest.approx(published)
    assert all(began + cost <= t + 1e-9 for t, began in source.requests[1:])


@pytest.mark.parametrize("cost", [0.12, 0.25, 0.99])
def test_slow_source_gives_fewer_images_in_real_time(cost: float) -> None:
    clock = Clock()
    source = Source(clock, cost)
    published = play(clock, source, 10.0)
    shown = [t for t, _ in source.requests][: len(published)]
    # The first slow image is late by its cost, which is known from then on.
    assert shown[2:] == pytest.approx(published[2:], abs=0.01)
    assert np.diff(published)[1:] == pytest.approx(cost, abs=0.01)
    assert shown[-1] > 8.0


def test_device_is_read_at_its_tick() -> None:
    clock = Clock()
    source = Source(clock, 0.0, can_read_ahead=False)
    published = play(clock, source, 1.0)
    assert [began for _, began in source.requests] == pytest.approx(published)


@pytest.mark.parametrize("can_read_ahead", [True, False])
def test_every_image_of_a_file_is_taken(can_read_ahead: bool) -> None:
    clock = Clock()
    pace = Pace(Source(clock, 0.0, can_read_ahead, count=3), RATE, clock)
    for _ in range(3):
        assert pace.take() is not None
        pace.prepare()
        clock.now += 1 / RATE
    with pytest.raises(EndOfSource):
        pace.take()


def test_early_tick_is_skipped() -> None:
    clock = Clock()
    pace = Pace(Source(clock, 0.0), RATE, clock)
    assert pace.take() is not None
    pace.prepare()
    clock.now += 0.2 / RATE
    assert pace.take() is None
    assert pace.wait == pytest.approx(0.8 / RATE)
    clock.now += pace.wait
    assert pace.take() is not None


@pytest.mark.parametrize("late", [0.0, 0.02])
def test_late_timer_keeps_the_rate(late: float) -> None:
    clock = Clock()
    published = play(clock, Source(clock, 0.0), 5.0, late)
    assert len(published) == pytest.approx(50, abs=1)


@pytest.mark.parametrize("times", [[0.0, 1 / 60, 2 / 60, 3 / 60], [0.0, 0.5, 0.52, 2.0]], ids=["60 Hz", "varying"])
def test_video_frames_are_due_at_their_times(times: list[float]) -> None:
    clock = Clock()
    source = Source(clock, 0.001, times=times, count=len(times))
    pace = Pace(source, RATE, clock)
    clock.now = 100.0
    published = []
    for _ in times:
        clock.now += pace.wait
        assert pace.take() is not None
        published.append(clock.now - 100.0)
        pace.prepare()
    assert published == pytest.approx(times, abs=0.001)
