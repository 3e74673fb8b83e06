"""Fixtures of tests with ROS 2: a graph of the test's own, nodes in this process and nodes as processes.

conftest.py registers this file as a plugin where rclpy can be imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from face_expr_ros.benchmarks.soak.message_rules import violations

PATIENCE = 60.0  # timeout of waits, seconds, with margin for a loaded machine
ASK_AGAIN = 5.0  # seconds without a response after which a service is called again


class Graph:
    """A node of the test with its own executor and the messages that it has received."""

    def __init__(self, name: str) -> None:
        self.node = Node(name)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self.violations: Counter[str] = Counter()

    def listen(self, kind: type[Any], topic: str, qos: Any = 10) -> list[Any]:
        """Subscribe to a topic; the returned list is filled with its messages in order of arrival.

        Messages that violate `message_rules` are counted; the fixture fails if there are any.
        """
        received: list[Any] = []

        def receive(message: Any) -> None:
            received.append(message)
            self.violations.update(f"{topic}: {sentence}" for sentence in violations(message))

        self.node.create_subscription(kind, topic, receive, qos)
        return received

    def until(self, done: Callable[[], Any], what: str, each: Callable[[], Any] | None = None) -> None:
        """Spin until ``done``; ``each`` is called before each spin, for example to publish again."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
            if each is not None:
                each()
            self._executor.spin_once(timeout_sec=0.05)

    def call(self, kind: type[Any], name: str, request: Any = None) -> Any:
        """The response of a service.

        The call is repeated without a response: a service that has not yet discovered the reader of its responses sends
        them nowhere. The request may therefore be executed twice.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        self.until(client.service_is_ready, f"the service {name}")
        answers: list[Any] = []
        begun = time.monotonic()

        def ask() -> None:
            if time.monotonic() >= begun + len(answers) * ASK_AGAIN:
                answers.append(client.call_async(request or kind.Request()))

        self.until(lambda: any(answer.done() for answer in answers), f"an answer of {name}", each=ask)
        return next(answer for answer in answers if answer.done()).result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


class Process:
    """One of the package's nodes in a process of its own; ``environment`` extends that of this process."""

    def __init__(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        # A regular file: a full pipe without a reader would block the node.
        self._log = tempfile.TemporaryFile(mode="a+", errors="replace")  # noqa: SIM115  closed by stop()
        command = [sys.executable, "-m", f"face_expr_ros.nodes.{name}", "--ros-args", *arguments]
        own = {**os.environ, **(environment or {})}
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=own)

    def wait(self) -> int:
        """Wait until the process exits; return its exit status."""
        return self._process.wait(PATIENCE)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, wait until the process exits and return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Output of the process so far."""
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()
        self._log.close()


@pytest.fixture(scope="session")
def ros() -> Iterator[None]:
    """Initialize rclpy, whose handlers would end it when another test in this process tries a signal."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="module")
def graph(ros: None) -> Iterator[Graph]:
    """A node of the test, one for all tests of a file."""
    result = Graph("test")
    yield result
    result.close()
    assert not result.violations


@pytest.fixture
def make_node(ros: None) -> Iterator[Callable[..., Node]]:
    """A function that creates plain nodes with command-line arguments, as a launch file does."""
    nodes: list[Node] = []

    def make(*arguments: str, name: str = "perception") -> Node:
        cli_args = ["--ros-args", *arguments]
        nodes.append(Node(name, cli_args=cli_args, automatically_declare_parameters_from_overrides=True))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Process]]:
    """A function that starts nodes as processes, which are stopped at the end of the test file."""
    processes: list[Process] = []

    def make(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        processes.append(Process(name, *arguments, environment=environment))
        return processes[-1]

    yield make
    for process in processes:
        process.close()
