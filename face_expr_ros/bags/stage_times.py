"""CPU time of the stages of an annotation, each of which runs in one of three threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

# The stages of each thread; all others are stages of the pipeline.
_THREADS = {
    "reading": ("read", "decode"),
    "measuring": ("detector", "tracker", "landmarks", "fitter"),
    "writing": ("expression", "smoother", "readouts", "messages", "drawing", "write"),
}

timer = time.thread_time


class StageTimes:
    """Sums of CPU times by stage; safe in several threads, as long as each stage belongs to one of them."""

    def __init__(self) -> None:
        self._seconds = {stage: 0.0 for stages in _THREADS.values() for stage in stages}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the CPU time of this thread within the context to a stage."""
        started = timer()
        try:
            yield
        finally:
            self._seconds[stage] += timer() - started

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add the times of stages of the pipeline."""
        for stage, spent in seconds.items():
            self._seconds[stage] += spent

    def result(self, frames: int) -> dict[str, dict[str, float]]:
        """Milliseconds per image: ``cpu_ms`` of each stage, in order, and ``thread_ms``, their sums by thread."""
        cpu = {stage: 1e3 * seconds / max(frames, 1) for stage, seconds in self._seconds.items()}
        threads = {name: sum(cpu[stage] for stage in stages) for name, stages in _THREADS.items()}
        return {"cpu_ms": cpu, "thread_ms": threads}


def mean_times(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The times of several results of `annotate`, weighted by their images; empty if no bag was annotated."""
    measured = [outcome for outcome in outcomes if "cpu_ms" in outcome and outcome["frames"]]
    frames = sum(outcome["frames"] for outcome in measured)
    return {
        group: {
            name: sum(outcome[group][name] * outcome["frames"] for outcome in measured) / frames
            for name in measured[0][group]
        }
        for group in ("cpu_ms", "thread_ms")
        if measured
    }
