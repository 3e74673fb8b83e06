"""A Python module of this package, such as a node, as a child process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from face_expr_ros.core.resources import resource_path

STOP_TIMEOUT = 20.0  # seconds from SIGINT to the exit, on a loaded machine


class Child:
    """A module in a process of its own.

    Args:
        module: dotted name below face_expr_ros, such as "nodes.camera".
        arguments: its command line; `node_arguments` makes that of a node with its parameter file.

    Attributes:
        name: last part of the module's name.
        pid: process id.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = module.rpartition(".")[2]
        # Append mode: reading here does not move the position at which the process writes.
        self._output = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by close()
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by close()
        command = [sys.executable, "-m", f"face_expr_ros.{module}", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._log)
        self.pid = self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while the process runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What the process has written to stdout so far."""
        self._output.seek(0)
        return self._output.read()

    def last_stderr_line(self) -> str:
        """The last line on stderr; the error message of a node that could not start takes precedence."""
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        errors = [line for line in lines if line.startswith(f"{self.name}: ")]
        return (errors or lines or [f"{self.name} exited without an error message"])[-1]

    def stop(self) -> None:
        """Send SIGINT and wait; a process that does not exit within STOP_TIMEOUT is killed."""
        if self.status is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """Stop the process and delete its output."""
        self.stop()
        self._output.close()
        self._log.close()


def node_arguments(name: str, overrides: Mapping[str, Any]) -> list[str]:
    """The command line of a node: its parameter file, then the parameters that override it."""
    arguments = ["--ros-args", "--params-file", str(resource_path(f"config/{name}.yaml"))]
    for parameter, value in overrides.items():
        arguments += ["-p", f"{parameter}:={json.dumps(value, ensure_ascii=False)}"]  # JSON is YAML with quotes
    return arguments
