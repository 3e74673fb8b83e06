"""Parts of the soak test: stamps, people, processes, judgment of resources."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.benchmarks.soak import people
from face_expr_ros.benchmarks.soak.people import ABSENCE, PERSONS, PLACES, Crowd
from face_expr_ros.benchmarks.soak.processes import NodeProcess, Run, Sample
from face_expr_ros.benchmarks.soak.stamps import STAMPS
from face_expr_ros.benchmarks.soak.verdict import growth, growth_problems

INTERVAL = 100_000_000  # nanoseconds
NOW = 1_700_000_000_000_000_000


@pytest.fixture
def crowd() -> Crowd:
    blank = np.zeros((PERSONS + 1, 4, people.HEIGHT, people.WIDTH, 3), np.uint8)
    blank[:] = np.arange(PERSONS + 1).reshape(-1, 1, 1, 1, 1)
    return Crowd(blank, seed=3)


@pytest.mark.parametrize("kind", sorted(STAMPS))
def test_stamps_are_not_negative(kind: str) -> None:
    stamps = STAMPS[kind](random.Random(0))
    values = [stamps(NOW + i * INTERVAL, INTERVAL) for i in range(200)]
    assert min(values) >= 0
    steps = np.diff(values)
    regular = kind in ("regular", "back", "ahead", "uptime")
    assert (steps == INTERVAL).all() == regular


def test_a_place_is_empty_between_two_persons(crowd: Crowd) -> None:
    left: dict[int, float] = {}
    before: tuple[int | None, ...] = (None,) * PLACES
    for step in range(6000):
        t = step * 0.05
        now = crowd.persons(t)
        for place in range(PLACES):
            if now[place] is None and before[place] is not None:
                left[place] = t
            elif now[place] is not None and before[place] is None and place in left:
                assert t - left[place] >= ABSENCE[0] - 0.1
            else:
                assert now[place] == before[place] or place not in left
        before = now
    assert len(left) == PLACES


def test_the_image_shows_the_persons(crowd: Crowd) -> None:
    for t in np.linspace(0.0, 60.0, 40):
        image, persons = crowd.image(float(t)), crowd.persons(float(t))
        seen = [int(image[0, place * people.WIDTH, 0]) for place in range(PLACES)]
        assert seen == [PERSONS if person is None else person for person in persons]


def samples(minutes: float, *, per_hour: float = 0.0, start_mb: float = 300.0) -> list[Sample]:
    times = np.arange(0.0, 60 * minutes, 5.0)
    return [Sample(float(t), start_mb + per_hour * t / 3600, 50.0, 20, 30, 0.1 * t) for t in times]


@pytest.mark.parametrize(("per_hour", "is_problem"), [(0.0, False), (20.0, False), (100.0, True)])
def test_growing_memory_is_a_problem(tmp_path: Path, per_hour: float, is_problem: bool) -> None:
    process = NodeProcess("node", "nodes.camera", (), tmp_path)
    process.runs.append(Run(1, started=0.0, samples=samples(60, per_hour=per_hour)))
    assert bool(growth_problems(process)) == is_problem


def test_growth_ignores_the_warm_up_and_short_runs() -> None:
    steps = samples(30)
    for index in range(10):
        steps[index] = Sample(steps[index].t, 50.0, 50.0, 3, 3, 0.0)
    grown = growth(steps, 0.0, "memory")
    assert grown is not None
    assert (grown.first, grown.last, grown.peak) == (300.0, 300.0, 300.0)
    assert growth(samples(4), 0.0, "memory") is None


def test_exits_and_tracebacks_of_a_process_are_problems(tmp_path: Path) -> None:
    process = NodeProcess("node", "nothing_of_this_name", (), tmp_path)
    process.start()
    process._process.wait()  # type: ignore[union-attr]
    process.check()
    assert "node: unexpected exit 1: " in process.problems[0]
    process.stop()
    assert len(process.problems) == 1


def test_a_killed_process_is_no_problem(tmp_path: Path) -> None:
    process = NodeProcess("web", "benchmarks.web_clients", ("--clients", "1", "--seconds", "60"), tmp_path)
    process.start()
    assert process.is_running
    sample = process.sample()
    assert sample is not None
    assert sample.files >= 3
    process.kill()
    process.check()
    assert not process.problems
    process.start()
    process.stop(signal.SIGKILL)
    assert len(process.runs) == 2
