"""Subscriber of the benchmarks, which records stamps and arrival times."""

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

TIMEOUT = 90.0  # seconds for starting processes on a loaded machine
_STAMP = struct.Struct("<iI")  # the stamp of a header, the first field of a message
_ENCAPSULATION = 4  # bytes before the first field


class BenchError(RuntimeError):
    """The benchmark failed; the text describes the reason."""


class Listener:
    """A node that records the stamp and the arrival time of messages, nanoseconds of the system clock."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node("bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def subscribe(self, message_type: type[Any], topic: str, qos: QoSProfile | int = 10) -> list[tuple[int, int]]:
        """A list to which the (stamp, arrival) of each message is appended; the message is not deserialized."""
        received: list[tuple[int, int]] = []
        self.node.create_subscription(message_type, topic, partial(_record, received), qos, raw=True)
        return received

    def unsubscribe_all(self) -> None:
        """Destroy all subscriptions."""
        for subscription in list(self.node.subscriptions):
            self.node.destroy_subscription(subscription)

    def spin_until(self, done: Callable[[], Any], what: str, children: list[Child]) -> None:
        """Spin until ``done``. Raises BenchError if a child exits or after TIMEOUT."""
        deadline = time.monotonic() + TIMEOUT
        while not done():
            self._step(children)
            if time.monotonic() > deadline:
                raise BenchError(f"{what} not received within {TIMEOUT:g} s: run face_expr doctor")

    def spin_for(self, seconds: float, children: list[Child]) -> None:
        """Spin for a duration. Raises BenchError if a child exits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._step(children)

    def close(self) -> None:
        """Destroy the node."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _step(self, children: list[Child]) -> None:
        self._executor.spin_once(timeout_sec=0.1)
        for child in children:
            if child.status is not None:
                raise BenchError(f"{child.name} exited unexpectedly; last output: {child.last_stderr_line()}")


def _record(received: list[tuple[int, int]], message: bytes) -> None:
    arrival = time.time_ns()
    seconds, nanoseconds = _STAMP.unpack_from(message, _ENCAPSULATION)
    received.append((seconds * 1_000_000_000 + nanoseconds, arrival))
