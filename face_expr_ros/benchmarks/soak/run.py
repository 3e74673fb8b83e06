"""The soak test: starts the graph, causes faults until the time is over, and judges what has happened."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from face_expr_ros.benchmarks.soak import verdict
from face_expr_ros.benchmarks.soak.faults import ENDS_RUNS, FAULTS
from face_expr_ros.benchmarks.soak.processes import NodeProcess
from face_expr_ros.benchmarks.soak.records import Records
from face_expr_ros.benchmarks.soak.world import SoakSettings, World
from face_expr_ros.ros.environment import prepare_environment

_SAMPLE_INTERVAL = 5.0  # seconds between two measurements of all processes
_MAX_PAUSE = 4  # times the mean pause
# In a long test, processes are ended only in the first quarter and the last tenth: in between, memory is observed.
_LONG = 1200.0  # seconds
_FIRST, _LAST = 0.25, 0.9


def run_soak(settings: SoakSettings, jsonl: Path | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Run the test.

    Args:
        settings: duration, seed and rates.
        jsonl: file for events and measurements, one JSON object a line.
        folder: for the logs of the processes; None uses a temporary one, which is deleted.

    Returns:
        See `verdict.report`. After an interrupt it is that of the time until then.
    """
    prepare_environment()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="face_expr_soak_") as temporary:
            return run_soak(settings, jsonl, Path(temporary))
    records = Records(jsonl)
    world = World(settings, folder, records)
    started = time.monotonic()
    try:
        with _sampling(world):
            world.start()
            started = time.monotonic()
            for name, reason in world.skipped.items():
                records.write("skipped", what=name, reason=reason)
            _cause_faults(world, started)
    except KeyboardInterrupt:
        pass  # the result so far
    finally:
        seconds = time.monotonic() - started
        world.close()
        records.take_problems(world.processes)
        _record_wrong_ids(world)
    result = verdict.report(world, seconds)
    records.write("result", **result)
    records.close()
    return result


def _cause_faults(world: World, started: float) -> None:
    """All faults in random order, again and again, until the time is over."""
    rng, seconds = random.Random(world.settings.seed), world.settings.seconds
    kinds = sorted(world.settings.faults or FAULTS)
    while True:
        for kind in rng.sample(kinds, len(kinds)):
            elapsed = time.monotonic() - started
            if elapsed > seconds:
                return
            if kind in ENDS_RUNS and seconds > _LONG and _FIRST < elapsed / seconds < _LAST:
                continue
            FAULTS[kind](world, rng)
            _restart_ended(world)
            _record_wrong_ids(world)
            world.records.write("violations", count=sum(world.monitor.violations.values()))
            pause = rng.expovariate(1 / world.settings.pause)
            time.sleep(min(pause, _MAX_PAUSE * world.settings.pause, max(0.0, started + seconds - time.monotonic())))


def _restart_ended(world: World) -> None:
    """Start the processes again that have ended unexpectedly, which is recorded."""
    ended = world.records.take_problems(world.processes)
    for name in ended:
        world.processes[name].start()


def _record_wrong_ids(world: World) -> None:
    for namespace, identities in world.monitor.identities.items():
        for sentence in identities.take_new():
            world.records.problem(f"{namespace}: {sentence}")


@contextmanager
def _sampling(world: World) -> Iterator[None]:
    """Measure all processes in the background."""
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_INTERVAL):
            processes: dict[str, NodeProcess] = dict(world.processes)
            world.records.sample(processes)

    thread = threading.Thread(target=sample, name="samples", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
