"""The processes of the soak test: start, kill and stop them, and measure their resources."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from face_expr_ros.benchmarks.clock import cpu_seconds, memory_mb

STOP_TIMEOUT = 60.0  # seconds from SIGINT to the exit, on a loaded machine
ABORT_TIMEOUT = 5.0  # seconds in which a process that hangs writes its stacks
# util-linux: the process is killed when this one ends, whatever the reason.
_END_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
_TRACEBACK = "Traceback (most recent call last)"
_MAX_LINES = 12  # of a traceback in the report: the last ones


@dataclass(frozen=True)
class Sample:
    """Resources of a process at a time.

    Attributes:
        t: seconds of the monotonic clock.
        memory: resident private memory, MB.
        shared: resident shared memory, MB: mostly the segments of Fast DDS, which fill up to their size of 32 MB each.
        threads, files: numbers of threads and of open file descriptors.
        cpu: CPU time since the start of the process, seconds.
    """

    t: float
    memory: float
    shared: float
    threads: int
    files: int
    cpu: float


@dataclass
class Run:
    """One life of a process.

    Attributes:
        pid: process id.
        started: seconds of the monotonic clock.
        samples: resources, in order of time.
    """

    pid: int
    started: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)


class NodeProcess:
    """A module of the package as a process that can be started again.

    Args:
        name: unique name.
        module: dotted name below face_expr_ros.
        arguments: the command line.
        folder: of the log file.
        prefix: command that runs the process, such as ``ip netns exec NAME``.
        has_commands: the process reads commands from stdin.

    Attributes:
        name: unique name.
        runs: all lives of the process.
        problems: unexpected exits, exit statuses and tracebacks.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        has_commands: bool = False,
    ) -> None:
        self.name = name
        self.runs: list[Run] = []
        self.problems: list[str] = []
        self._command = [*_END_WITH_PARENT, *prefix, sys.executable, "-m", f"face_expr_ros.{module}", *arguments]
        self._environment = {**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})}
        self._input = subprocess.PIPE if has_commands else subprocess.DEVNULL
        self._path = folder / f"{name.strip('/').replace('/', '_')}.log"
        self._read = 0  # characters of the log that have been searched
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process has been started and has not exited."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        with self._path.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command, stdin=self._input, stdout=log, stderr=log, env=self._environment, text=True
            )
        self.runs.append(Run(self._process.pid))

    def send(self, line: str) -> None:
        """Send a command line."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to a running process."""
        if self.is_running:
            assert self._process is not None
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._wait()

    def stop(self, how: signal.Signals | None = signal.SIGINT) -> None:
        """End the process; a status other than 0 and a process that must be killed are problems.

        Args:
            how: the signal to send; None if one has been sent.
        """
        if how is not None:
            self.check()
            self.send_signal(how)
        if self._process is None:
            return
        status = self._wait(STOP_TIMEOUT)
        if status is None:
            self.problems.append(f"{self.name}: still running {STOP_TIMEOUT:g} s after it was asked to end")
            self.send_signal(signal.SIGABRT)  # faulthandler writes the stacks of all threads to the log
            self._wait(ABORT_TIMEOUT)
            self.kill()
        elif status:
            self.problems.append(f"{self.name}: exit status {status} after it was asked to end: {self._last_line()}")
        self._process = None

    def check(self) -> None:
        """Record a problem if the process has exited, or has written a traceback since the last call."""
        self._search_log()
        if self._process is not None and self._process.poll() is not None:
            self.problems.append(f"{self.name}: unexpected exit {self._process.returncode}: {self._last_line()}")
            self._process = None

    def sample(self) -> Sample | None:
        """Measure the resources; None if the process does not run."""
        if not self.is_running:
            return None
        pid, now = self.runs[-1].pid, time.monotonic()
        try:
            files = len(os.listdir(f"/proc/{pid}/fd"))
            threads = len(os.listdir(f"/proc/{pid}/task"))
            private, shared = memory_mb(pid, "RssAnon"), memory_mb(pid, "RssShmem")
            sample = Sample(now, private, shared, threads, files, cpu_seconds(pid))
        except OSError:  # it has just exited
            return None
        self.runs[-1].samples.append(sample)
        return sample

    def _wait(self, timeout: float | None = None) -> int | None:
        assert self._process is not None
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._search_log()
        if status == -signal.SIGKILL:
            self._process = None
        return status

    def _search_log(self) -> None:
        with self._path.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            text = log.read()
            self._read = log.tell()
        for part in text.split(_TRACEBACK)[1:]:
            self.problems.append(f"{self.name}: traceback: " + " | ".join(_traceback_lines(part)))

    def _last_line(self) -> str:
        lines = [line for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "no output"


def _traceback_lines(text: str) -> list[str]:
    """The last lines of the traceback at the beginning of a text, which ends with the error in the first column."""
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    end = next((number for number, line in enumerate(lines) if not line[0].isspace()), len(lines))
    return lines[max(0, end + 1 - _MAX_LINES) : end + 1]
