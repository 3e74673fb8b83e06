"""The record of a soak test: JSON lines while it runs, and counts for the verdict."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from face_expr_ros.benchmarks.clock import memory_mb
from face_expr_ros.benchmarks.soak.monitor import Monitor
from face_expr_ros.benchmarks.soak.processes import NodeProcess

_COUNTERS = ("frames", "dropped frames", "bad frames", "messages", "bad messages", "skipped")


class Records:
    """Collects events; every one is a JSON object in a line of the file.

    Args:
        path: of the file; None writes none.

    Attributes:
        problems: what must not happen, in order of time.
        recoveries: seconds from a fault to the next output, by kind of fault; None if there was none in time.
        faults: number of faults, by kind.
        counters: sums of the counters of the nodes' diagnostics, by node, over all runs of the node.
    """

    def __init__(self, path: Path | None) -> None:
        self.problems: list[str] = []
        self.recoveries: dict[str, list[float | None]] = defaultdict(list)
        self.faults: Counter[str] = Counter()
        self.counters: dict[str, Counter[str]] = defaultdict(Counter)
        self._latest: dict[tuple[str, str], int] = {}
        self._file = path.open("w", encoding="utf-8") if path else None
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def write(self, event: str, **values: Any) -> None:
        """Write a line."""
        if self._file is not None:
            line = json.dumps({"t": round(time.monotonic() - self._started, 2), "event": event, **values})
            with self._lock:
                self._file.write(line + "\n")
                self._file.flush()

    def fault(self, kind: str, **values: Any) -> None:
        """A fault begins."""
        self.faults[kind] += 1
        self.write("fault", kind=kind, **values)

    def recovery(self, kind: str, process: str, seconds: float | None) -> None:
        """A process has shown an output again, or not in time (None), which is a problem."""
        self.recoveries[kind].append(seconds)
        self.write("recovery", kind=kind, process=process, seconds=None if seconds is None else round(seconds, 2))
        if seconds is None:
            self.problem(f"{process}: no output after the fault {kind!r}")

    def problem(self, sentence: str) -> None:
        """Something happened that must not."""
        self.problems.append(sentence)
        self.write("problem", text=sentence)

    def sample(self, processes: Mapping[str, NodeProcess]) -> None:
        """Measure all processes and this one, whose load shows whether it can follow."""
        own = {"process": "soak", "memory": memory_mb("self", "RssAnon"), "cpu": round(time.process_time(), 2)}
        self.write("sample", **own)
        for name, process in processes.items():
            sample = process.sample()
            if sample is not None:
                values = {name: getattr(sample, name) for name in ("memory", "shared", "threads", "files")}
                self.write("sample", process=name, **values, cpu=round(sample.cpu, 2))

    def take_problems(self, processes: Mapping[str, NodeProcess]) -> list[str]:
        """Move the problems of processes here; returns the names of those that have ended."""
        ended = []
        for name, process in processes.items():
            was_started = bool(process.runs)
            process.check()
            while process.problems:
                self.problem(process.problems.pop(0))
            if was_started and not process.is_running:
                ended.append(name)
        return ended

    def watch_diagnostics(self, monitor: Monitor) -> None:
        """Sum up the counters on /diagnostics."""
        monitor.watch("diagnostics", DiagnosticArray, "/diagnostics", 50, self._on_diagnostics)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._add(status)

    def _add(self, status: DiagnosticStatus) -> None:
        for pair in status.values:
            if pair.key in _COUNTERS:
                value, key = int(pair.value), (status.name, pair.key)
                last = self._latest.get(key, 0)
                self.counters[status.name][pair.key] += value - last if value >= last else value
                self._latest[key] = value
