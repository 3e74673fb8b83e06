"""A node as a child process: stopped cleanly, heard when it fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from face_expr_ros.core.resources import resource_path

STOP_TIMEOUT = 20.0  # seconds from Ctrl-C to the end, on a loaded machine


class Child:
    """A module of face_expr_ros.nodes in a process of its own.

    Args:
        name: of the module.
        arguments: its command line, see `ros_arguments` for a node with its parameter file.

    Attributes:
        name: as given.
        pid: of the process.
    """

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        # Appending: reading here must not move the place where the process writes.
        self._output = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by close()
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by close()
        command = [sys.executable, "-m", f"face_expr_ros.nodes.{name}", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._log)
        self.pid = self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it wrote on stdout so far."""
        self._output.seek(0)
        return self._output.read()

    def last_stderr_line(self) -> str:
        """The last line that it wrote on stderr: the sentence of a node that could not start."""
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        sentences = [line for line in lines if line.startswith(f"{self.name}: ")]
        return (sentences or lines or [f"{self.name} ended without a word"])[-1]

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does; a process that does not listen is killed."""
        if self.status is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """End it and forget what it wrote."""
        self.stop()
        self._output.close()
        self._log.close()


def ros_arguments(name: str, overrides: Mapping[str, Any]) -> list[str]:
    """The command line of a node: its parameter file, then the parameters that differ from it."""
    arguments = ["--ros-args", "--params-file", str(resource_path(f"config/{name}.yaml"))]
    for parameter, value in overrides.items():
        arguments += ["-p", f"{parameter}:={json.dumps(value, ensure_ascii=False)}"]  # JSON is YAML with quotes
    return arguments
