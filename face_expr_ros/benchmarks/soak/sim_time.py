"""The clock of a simulation that pauses and jumps."""

from __future__ import annotations

import threading
import time

from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

_RATE = 20.0  # Hz


class SimTime:
    """Publishes /clock from a thread.

    Attributes:
        is_paused: nothing is published.
    """

    def __init__(self, publisher: Publisher[Clock]) -> None:
        self.is_paused = False
        self._publisher = publisher
        self._offset = 1000.0 - time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def jump(self, seconds: float) -> None:
        """Move the clock forward, or backward to not less than zero."""
        self._offset = max(self._offset + seconds, -time.monotonic())

    def close(self) -> None:
        """Stop the thread."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(1 / _RATE):
            if not self.is_paused:
                now = round((time.monotonic() + self._offset) * 1e9)
                self._publisher.publish(Clock(clock=Time(nanoseconds=now).to_msg()))
