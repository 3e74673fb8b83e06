"""Times and memory: how they are taken, and what is said of many."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

Answer = TypeVar("Answer")

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # fields of /proc/PID/stat, counted after the name of the program


@dataclass
class Times:
    """Runs of one piece of work.

    Attributes:
        wall: seconds that each run took.
        cpu: seconds of processor time that this process spent on each, in all its threads.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Run it once more; what it returns."""
        wall, cpu = time.perf_counter(), time.process_time()
        answer = work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return answer

    def summary(self) -> dict[str, float]:
        """Milliseconds: median, mean and p95 of the runs, and mean processor time."""
        return {**spread(self.wall), "cpu": round(float(np.mean(self.cpu)) * 1e3, 3)}


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds: median, mean and 95th percentile."""
    values = np.asarray(seconds) * 1e3
    return {
        "median": round(float(np.median(values)), 3),
        "mean": round(float(values.mean()), 3),
        "p95": round(float(np.percentile(values, 95)), 3),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Milliseconds: p50, p95 and p99; None where nothing was measured, for JSON has no NaN."""
    if not len(seconds):
        return {"p50": None, "p95": None, "p99": None}
    return {f"p{p}": round(float(np.percentile(seconds, p)) * 1e3, 2) for p in (50, 95, 99)}


def median_ms(work: Callable[[], object], runs: int) -> float:
    """Milliseconds of the median run."""
    times = Times()
    for _ in range(runs):
        times.run(work)
    return times.summary()["median"]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has spent so far, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS


def memory_mb(pid: int | str, entry: str) -> float:
    """An entry of a process's memory: VmRSS is resident now, VmHWM was at most; pid may be "self"."""
    return _megabytes(Path(f"/proc/{pid}/status"), entry)


def own_share_mb(pid: int) -> float:
    """Memory of a process, with what it shares with others counted in parts (Pss): sums over processes are right."""
    return _megabytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _megabytes(file: Path, entry: str) -> float:
    for line in file.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == entry:
            return round(int(value.split()[0]) / 1024, 1)
    raise OSError(f"{file} has no entry {entry}")
