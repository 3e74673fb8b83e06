"""Test of image transport between processes: a second process publishes, this one counts.

`python -m face_expr_ros.ros.image_probe TOPIC SECONDS` is the publisher; it prints the number of images it sent.
"""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from dataclasses import dataclass

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

WIDTH, HEIGHT, RATE = 1280, 720, 30.0  # pixels, pixels, Hz
MATCH_TIMEOUT = 10.0  # seconds for the discovery of publisher and subscription
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class ProbeResult:
    """Numbers of 1280x720 bgr8 images sent best-effort by another process, and received here.

    Attributes:
        sent: 0 if discovery failed.
        error: error message of the publisher's process; empty if it succeeded.
    """

    sent: int
    received: int
    error: str = ""


def probe_images(topic: str, seconds: float) -> ProbeResult:
    """Start the publisher for `seconds` on `topic` and count the received images."""
    context = Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("face_expr_image_probe", context=context)
        stamps: list[int] = []
        node.create_subscription(Image, topic, lambda image: stamps.append(image.header.stamp.nanosec), BEST_EFFORT)
        sent, error = _spin_while_publishing(node, context, topic, seconds)
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)
    return ProbeResult(sent, len(stamps), error)


def _spin_while_publishing(node: Node, context: Context, topic: str, seconds: float) -> tuple[int, str]:
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    command = [sys.executable, "-m", __spec__.name, topic, str(seconds)]
    timeout = 2 * MATCH_TIMEOUT + seconds
    deadline = time.monotonic() + timeout
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as publisher:
        while publisher.poll() is None and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        publisher.kill()
        output, errors = publisher.communicate()
    executor.shutdown()
    lines = errors.strip().splitlines() or [f"the publisher did not exit within {timeout:.0f} s"]
    return (int(output), "") if output.strip().isdecimal() else (0, lines[-1])


def publish_images(topic: str, seconds: float) -> int:
    """Wait for a subscription, publish for `seconds`, and return the number of images sent."""
    rclpy.init()
    try:
        node = rclpy.create_node("face_expr_image_probe_publisher")
        publisher = node.create_publisher(Image, topic, BEST_EFFORT)
        image = Image(width=WIDTH, height=HEIGHT, step=3 * WIDTH, encoding="bgr8")
        image.data = array("B", bytes(3 * WIDTH * HEIGHT))
        deadline = time.monotonic() + MATCH_TIMEOUT
        while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        count = int(seconds * RATE) if publisher.get_subscription_count() else 0
        for _ in range(count):
            publisher.publish(image)
            time.sleep(1 / RATE)
    finally:
        rclpy.try_shutdown()
    return count


if __name__ == "__main__":
    print(publish_images(sys.argv[1], float(sys.argv[2])))
