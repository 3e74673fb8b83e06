"""A node as a child process: started with the project's parameters, stopped cleanly, heard when it fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from face_expr_ros.resources import resource_path

STOP_TIMEOUT = 10.0  # seconds from Ctrl-C to the end of a node


class Child:
    """One node of this package in a process of its own.

    Args:
        name: of the node, its module in face_expr_ros.nodes and its parameter file.
        overrides: parameters that differ from the file.
    """

    def __init__(self, name: str, overrides: Mapping[str, Any]) -> None:
        self.name = name
        # Appending: reading here must not move the place where the process writes.
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by stop()
        command = [sys.executable, "-m", f"face_expr_ros.nodes.{name}", *ros_arguments(name, overrides)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def last_words(self) -> str:
        """The last line that it wrote: the sentence of a node that could not start."""
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
        self._log.close()


def ros_arguments(name: str, overrides: Mapping[str, Any]) -> list[str]:
    """The command line of a node: its parameter file, then what differs."""
    arguments = ["--ros-args", "--params-file", str(resource_path(f"config/{name}.yaml"))]
    for parameter, value in overrides.items():
        arguments += ["-p", f"{parameter}:={json.dumps(value, ensure_ascii=False)}"]  # JSON is YAML with quotes
    return arguments
