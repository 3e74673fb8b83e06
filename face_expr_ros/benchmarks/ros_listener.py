"""Who listens in the benchmark, and gives up where nothing comes."""

from __future__ import annotations

import struct
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

from face_expr_ros.ros.child_process import Child

PATIENCE = 90.0  # seconds that a loaded machine may take to start something
_STAMP = struct.Struct("<iI")  # of a header, the first field of a message
_ENCAPSULATION = 4  # bytes before it


class BenchError(RuntimeError):
    """The benchmark cannot go on; the text says why."""


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

    def until(self, done: Callable[[], Any], what: str, children: list[Child]) -> None:
        """Spin until ``done``. Raises BenchError when a child ends or it takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            self._step(children)
            if time.monotonic() > deadline:
                raise BenchError(f"waited {PATIENCE:g} s in vain for {what}: try face_expr doctor")

    def during(self, seconds: float, children: list[Child]) -> None:
        """Spin for a time. Raises BenchError when a child ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._step(children)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _step(self, children: list[Child]) -> None:
        self._executor.spin_once(timeout_sec=0.1)
        for child in children:
            if child.status is not None:
                raise BenchError(f"{child.name} ended by itself; its last words: {child.last_stderr_line()}")


def _note(heard: list[tuple[int, int]], message: bytes) -> None:
    arrival = time.time_ns()
    seconds, nanoseconds = _STAMP.unpack_from(message, _ENCAPSULATION)
    heard.append((seconds * 1_000_000_000 + nanoseconds, arrival))
