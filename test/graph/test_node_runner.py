"""The end of a node's process."""

from __future__ import annotations

import subprocess
import sys

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
