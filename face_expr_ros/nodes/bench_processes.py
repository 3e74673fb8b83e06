"""Processes of the benchmark, and what one of them hears of the others."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

STOP_TIMEOUT = 20.0  # seconds from Ctrl-C to the end
PATIENCE = 90.0  # seconds that a loaded machine may take to start something
_STAMP = struct.Struct("<iI")  # of a header, the first field of a message
_ENCAPSULATION = 4  # bytes before it


class BenchError(RuntimeError):
    """The benchmark cannot go on; the text says why."""


class Worker:
    """A module of this package as a process.

    Args:
        module: its name in face_expr_ros.nodes.
        arguments: its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._output = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by close()
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115
        command = [sys.executable, "-m", f"face_expr_ros.nodes.{module}", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._log)
        self.pid = self._process.pid

    def check(self) -> None:
        """Raises BenchError with its last words when it has ended."""
        if self._process.poll() is not None:
            self._log.seek(0)
            words = [line.strip() for line in self._log if line.strip()]
            raise BenchError(f"{self._module} ended by itself: {words[-1] if words else 'without a word'}")

    def stop(self) -> str:
        """Ask it to end, as Ctrl-C does; what it wrote on stdout."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.seek(0)
        return self._output.read()

    def close(self) -> None:
        """End it and forget what it wrote."""
        self.stop()
        self._output.close()
        self._log.close()


class Listener:
    """A node that notes the stamp and the arrival of what comes, both in nanoseconds of the system clock."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node("bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def listen(self, kind: type[Any], topic: str, qos: QoSProfile | int = 10) -> list[tuple[int, int]]:
        """The (stamp, arrival) of each message; it is not read further, as Python would take its time for a mesh."""
        heard: list[tuple[int, int]] = []
        self.node.create_subscription(kind, topic, partial(_note, heard), qos, raw=True)
        return heard

    def silence(self) -> None:
        """Unsubscribe everything."""
        for subscription in list(self.node.subscriptions):
            self.node.destroy_subscription(subscription)

    def until(self, done: Callable[[], Any], what: str, workers: list[Worker]) -> None:
        """Spin until ``done``. Raises BenchError when a worker ends or it takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            self._step(workers)
            if time.monotonic() > deadline:
                raise BenchError(f"waited {PATIENCE:g} s in vain for {what}: try face_expr doctor")

    def during(self, seconds: float, workers: list[Worker]) -> None:
        """Spin for a time. Raises BenchError when a worker ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._step(workers)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _step(self, workers: list[Worker]) -> None:
        self._executor.spin_once(timeout_sec=0.1)
        for worker in workers:
            worker.check()


def _note(heard: list[tuple[int, int]], message: bytes) -> None:
    arrival = time.time_ns()
    seconds, nanoseconds = _STAMP.unpack_from(message, _ENCAPSULATION)
    heard.append((seconds * 1_000_000_000 + nanoseconds, arrival))
