"""The end of a node's process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

EMPTY = """
import sys
from rclpy.node import Node
from face_expr_ros.ros.node_runner import run_node

class EmptyNode(Node):
    def __init__(self):
        super().__init__("empty")
        print("runs", flush=True)

    def destroy_node(self):
        print("ends", flush=True)
        super().destroy_node()

sys.exit(run_node(EmptyNode, "empty"))
"""
STUCK = """
import sys, threading
from rclpy.node import Node
from face_expr_ros.ros.node_runner import Finished, run_node

class StuckNode(Node):
    def __init__(self):
        super().__init__("stuck")
        self.create_timer(0.01, self.finish)

    def finish(self):
        raise Finished

    def destroy_node(self):
        threading.Event().wait()

sys.exit(run_node(StuckNode, "stuck", shutdown_timeout=0.2))
"""


def test_a_node_that_cannot_be_destroyed_ends_with_status_1_and_its_stacks() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "in destroy_node" in done.stderr


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_a_node_is_destroyed_does_not_change_its_status(first: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", EMPTY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(first)
    assert process.stdout.readline() == "ends\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
