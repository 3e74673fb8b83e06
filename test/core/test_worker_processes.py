"""Results, errors and deaths of worker processes."""

from __future__ import annotations

import os
import time
from multiprocessing import active_children

from face_expr_ros.core.worker_processes import WorkerError, in_processes

PATIENCE = 60.0  # seconds


def test_every_task_has_its_result_or_error() -> None:
    outcomes = dict(in_processes(int, ["1", "two", "3"], 2))
    assert (outcomes["1"], outcomes["3"]) == (1, 3)
    assert isinstance(outcomes["two"], ValueError)


def test_no_task_needs_no_process() -> None:
    assert list(in_processes(int, [], 2)) == []


def test_a_worker_that_dies_is_reported() -> None:
    ((_, outcome),) = in_processes(os._exit, [3], 2)
    assert isinstance(outcome, WorkerError)
    assert "a worker process ended unexpectedly" in str(outcome)


def test_leaving_early_stops_the_workers() -> None:
    before = set(active_children())
    outcomes = in_processes(time.sleep, [0, 3600], 2)
    assert next(outcomes) == (0, None)
    outcomes.close()
    for worker in set(active_children()) - before:
        worker.join(PATIENCE)
    assert set(active_children()) <= before
