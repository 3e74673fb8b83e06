"""Images to a live node, one at a time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.ros.encode import image_bytes

SECOND = 1_000_000_000
SILENCE = 10.0  # seconds after which an image is lost, not only late
SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
Picture = NDArray[np.uint8]


class Lockstep:
    """Publishes one image after the other, each when the node has answered the last one."""

    def __init__(self, graph: Any, namespace: str) -> None:
        self._graph = graph
        self._image = graph.node.create_publisher(Image, f"{namespace}/image", SENSOR_DATA)
        self.answers: list[FaceArray] = graph.listen(FaceArray, f"{namespace}/faces")
        graph.until(self._image.get_subscription_count, "the node's subscription")

    def ask(self, publish: Callable[[], None], stamp_ns: int) -> FaceArray:
        """The answer to an image. Best effort may lose one: after a long silence it is published again."""
        wanted = Time(nanoseconds=stamp_ns).to_msg()
        count, begun, times = len(self.answers), time.monotonic(), itertools.count()
        due = begun

        def again() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = begun + SILENCE * (next(times) + 1)
                publish()

        self._graph.until(
            lambda: len(self.answers) > count and self.answers[-1].header.stamp == wanted,
            f"the answer to {stamp_ns}",
            each=again,
        )
        return self.answers[-1]

    def show(self, picture: Picture, stamp_ns: int) -> FaceArray:
        head = Header(stamp=Time(nanoseconds=stamp_ns).to_msg(), frame_id="lens")
        return self.ask(lambda: self._image.publish(image_bytes(picture, head)), stamp_ns)
