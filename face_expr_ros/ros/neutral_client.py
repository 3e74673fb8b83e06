"""A client of the perception node's service ``calibrate_neutral`` within another node."""

from __future__ import annotations

import re
import threading

from rclpy.node import Node
from std_srvs.srv import Trigger

TIMEOUT = 5.0  # seconds; the perception node first finishes the current image


class NeutralClient:
    """Requests new neutral expressions from the perception node.

    Args:
        node: spun by an executor in another thread than the one that calls `request`.
        service: its name, relative to the node's namespace; it can be remapped.
    """

    def __init__(self, node: Node, service: str) -> None:
        self._client = node.create_client(Trigger, service)

    def request(self) -> int | None:
        """Number of faces whose neutral expression was stored; None if the node is not running or does not respond."""
        if not self._client.service_is_ready():
            return None
        done = threading.Event()
        future = self._client.call_async(Trigger.Request())
        future.add_done_callback(lambda _: done.set())
        if not done.wait(TIMEOUT):
            return None
        response = future.result()
        count = re.search(r"\d+", response.message)
        return (int(count[0]) if count else 1) if response.success else 0
