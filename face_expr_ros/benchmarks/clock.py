"""Measurement of times and memory, and their statistics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # indices of the fields of /proc/PID/stat after the program's name


@dataclass
class Times:
    """Times of repeated runs of one function.

    Attributes:
        wall: wall-clock time of each run, seconds.
        cpu: CPU time of each run, of all threads of this process, seconds.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, function: Callable[[], Result]) -> Result:
        """Run the function once, record its times and return its result."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return result

    def summary(self) -> dict[str, float]:
        """Milliseconds: median, mean and p95 of the runs, and mean CPU time."""
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
    """Milliseconds: p50, p95 and p99; None without measurements, because JSON has no NaN."""
    if not len(seconds):
        return {"p50": None, "p95": None, "p99": None}
    return {f"p{p}": round(float(np.percentile(seconds, p)) * 1e3, 2) for p in (50, 95, 99)}


def median_ms(function: Callable[[], object], runs: int) -> float:
    """Median wall-clock time of a number of runs, milliseconds."""
    times = Times()
    for _ in range(runs):
        times.run(function)
    return times.summary()["median"]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, of all its threads, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS


def memory_mb(pid: int | str, entry: str) -> float:
    """Memory of a process, MB: VmRSS is the resident memory, VmHWM its peak; pid may be "self"."""
    return _megabytes(Path(f"/proc/{pid}/status"), entry)


def pss_mb(pid: int) -> float:
    """Proportional set size of a process, MB: shared memory is divided among its users, so that sums are correct."""
    return _megabytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _megabytes(file: Path, entry: str) -> float:
    for line in file.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == entry:
            return round(int(value.split()[0]) / 1024, 1)
    raise OSError(f"{file} has no entry {entry}")
