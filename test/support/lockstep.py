"""Publishes images to a live node one at a time."""

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
RETRY_INTERVAL = 10.0  # seconds after which an image is considered lost
SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
Picture = NDArray[np.uint8]


class Lockstep:
    """Publishes each image after the result of the previous one has been received."""

    def __init__(self, graph: Any, namespace: str) -> None:
        self._graph = graph
        self._image = graph.node.create_publisher(Image, f"{namespace}/image", SENSOR_DATA)
        self.answers: list[FaceArray] = graph.listen(FaceArray, f"{namespace}/faces")
        graph.until(self._image.get_subscription_count, "the node's subscription")

    def ask(self, publish: Callable[[], None], stamp_ns: int) -> FaceArray:
        """The result of an image, which is published again if it is lost, because the QoS is best effort."""
        expected_stamp = Time(nanoseconds=stamp_ns).to_msg()
        count, begun, times = len(self.answers), time.monotonic(), itertools.count()
        due = begun

        def again() -> None:
            nonlocal due
            if time.monotonic() >= due:
                due = begun + RETRY_INTERVAL * (next(times) + 1)
                publish()

        self._graph.until(
            lambda: len(self.answers) > count and self.answers[-1].header.stamp == expected_stamp,
            f"the result of {stamp_ns}",
            each=again,
        )
        return self.answers[-1]

    def show(self, picture: Picture, stamp_ns: int) -> FaceArray:
        head = Header(stamp=Time(nanoseconds=stamp_ns).to_msg(), frame_id="lens")
        return self.ask(lambda: self._image.publish(image_bytes(picture, head)), stamp_ns)
