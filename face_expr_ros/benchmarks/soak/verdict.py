"""What a soak test has shown: resources over time, problems, and whether all of it is as required."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.soak.processes import NodeProcess, Run, Sample
from face_expr_ros.benchmarks.soak.world import World

WARM_UP = 60.0  # seconds after the start of a process in which its resources may grow
MIN_OBSERVATION = 240.0  # seconds after that; shorter runs of a process are not judged
# Maximum growth from the first to the last fifth of a run.
LIMITS = {"memory": 40.0, "threads": 6.0, "files": 12.0}
_UNITS = {"memory": "MB", "threads": "threads", "files": "open files"}
_FIFTH = 5


@dataclass(frozen=True)
class Growth:
    """Growth of a resource of a process during its longest run.

    Attributes:
        first, last: medians of the first and the last fifth of the run, without the warm-up.
        peak: maximum.
        hours: length of the observation.
    """

    first: float
    last: float
    peak: float
    hours: float

    @property
    def grown(self) -> float:
        """The last value minus the first one."""
        return self.last - self.first


def growth(samples: Sequence[Sample], started: float, resource: str) -> Growth | None:
    """The growth of a resource in a run; None if the run is too short to be judged."""
    kept = [sample for sample in samples if sample.t - started >= WARM_UP]
    if len(kept) < 2 * _FIFTH or kept[-1].t - kept[0].t < MIN_OBSERVATION:
        return None
    values = np.array([getattr(sample, resource) for sample in kept], np.float64)
    part = len(values) // _FIFTH
    first, last = float(np.median(values[:part])), float(np.median(values[-part:]))
    return Growth(first, last, float(values.max()), (kept[-1].t - kept[0].t) / 3600)


def growth_problems(process: NodeProcess) -> list[str]:
    """A sentence for each resource that grew by more than its limit in a run of the process."""
    problems = []
    for run in process.runs:
        for resource, limit in LIMITS.items():
            grown = growth(run.samples, run.started, resource)
            if grown is not None and grown.grown > limit:
                problems.append(
                    f"{process.name}: {_UNITS[resource]} grew from {grown.first:.0f} to {grown.last:.0f} "
                    f"in {60 * grown.hours:.0f} min"
                )
    return problems


def report(world: World, seconds: float) -> dict[str, Any]:
    """The result of the test; ``ok`` is whether nothing happened that must not.

    Returns:
        ``processes``: runs, memory, threads, files and CPU load; ``faults``: number, recoveries and their times;
        ``topics``: messages; ``nodes``: counters of the diagnostics; ``problems``; ``skipped``; ``seconds``; ``ok``.
    """
    records, problems = world.records, list(world.records.problems)
    for process in world.processes.values():
        problems += growth_problems(process)
    problems += _message_problems(world)
    return {
        "ok": not problems,
        "seconds": round(seconds, 1),
        "seed": world.settings.seed,
        "processes": {name: _process_row(process, seconds) for name, process in world.processes.items()},
        "faults": {kind: _fault_row(world, kind) for kind in sorted(records.faults)},
        "nodes": {name: dict(counter) for name, counter in sorted(records.counters.items())},
        "ids": {name: {"ids": each.count, "changed": each.changes, "wrong": len(each.wrong)}
                for name, each in world.monitor.identities.items()},
        "topics": {name: {"messages": count, "not checked": world.monitor.unchecked.get(name, 0)}
                   for name, count in sorted(_totals(world).items())},
        "skipped": world.skipped,
        "problems": problems,
    }  # fmt: skip


def _message_problems(world: World) -> list[str]:
    examples, counts = world.monitor.examples, world.monitor.violations
    found = {f"{key[0]}: {examples.get(key, key[1])}": count for key, count in counts.items()}
    if world.browsers is not None:
        found |= {f"web stream: {sentence}": count for sentence, count in world.browsers.violations.items()}
    found |= {f"packets: {sentence}": count for sentence, count in world.packets.violations.items()}
    return [f"{sentence} ({count} messages)" for sentence, count in found.items()]


def _totals(world: World) -> dict[str, int]:
    totals = dict(world.monitor.counts)
    totals |= {f"packets {name}": count for name, count in world.packets.counts.items()}
    if world.browsers is not None:
        totals |= {"web frames": world.browsers.frames, "web pictures": world.browsers.pictures,
                   "web connections": world.browsers.connections}  # fmt: skip
    if world.link is not None:
        totals |= {"network forwarded": world.link.forwarded, "network lost": world.link.lost}
    return totals


def _fault_row(world: World, kind: str) -> dict[str, Any]:
    times = world.records.recoveries.get(kind, [])
    known = [seconds for seconds in times if seconds is not None]
    return {
        "faults": world.records.faults[kind],
        "recovered": len(known),
        "failed": len(times) - len(known),
        "median_s": round(float(np.median(known)), 2) if known else None,
        "max_s": round(max(known), 2) if known else None,
    }


def _process_row(process: NodeProcess, seconds: float) -> dict[str, Any]:
    longest = max(process.runs, key=_length)
    row: dict[str, Any] = {"runs": len(process.runs), "cpu_percent": round(100 * _cpu(process) / seconds, 1)}
    row["longest_min"] = round(_length(longest) / 60, 1)
    row["shared_max"] = max((sample.shared for run in process.runs for sample in run.samples), default=None)
    for resource in LIMITS:
        grown = growth(longest.samples, longest.started, resource)
        values = [getattr(sample, resource) for run in process.runs for sample in run.samples]
        row[resource] = {
            "first": None if grown is None else round(grown.first, 1),
            "last": None if grown is None else round(grown.last, 1),
            "max": max(values, default=None),
        }
    return row


def _length(run: Run) -> float:
    return run.samples[-1].t - run.started if run.samples else 0.0


def _cpu(process: NodeProcess) -> float:
    return sum(run.samples[-1].cpu for run in process.runs if run.samples)
