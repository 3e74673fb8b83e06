"""Camera node of the benchmarks: publishes a prerendered clip, so that rendering does not affect the measurement."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.malloc_tuning import keep_freed_memory

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
FRAME_ID = "bench_optical_frame"


def publish_clip(clip: Path, rate: float, field_of_view: float) -> list[int]:
    """Publish the frames of a file forward and backward at a rate in Hz, until SIGINT.

    A tick that is late by more than a period is skipped, so that there are no bursts.

    Args:
        clip: (n, height, width, 3) uint8, BGR, written by `numpy.save`.
        rate: frames per second.
        field_of_view: vertical field of view of the published CameraInfo, degrees.

    Returns:
        The stamps of the published images, nanoseconds.
    """
    frames = np.load(clip, mmap_mode="r")
    node = Node("bench_camera")
    images = node.create_publisher(Image, "image", SENSOR_DATA)
    infos = node.create_publisher(CameraInfo, "camera_info", SENSOR_DATA)
    height, width = frames.shape[1:3]
    camera = pinhole_camera(width, height, field_of_view)
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    stamps: list[int] = []
    due = time.monotonic()
    try:
        while True:
            stamp = node.get_clock().now()
            header = Header(stamp=stamp.to_msg(), frame_id=FRAME_ID)
            infos.publish(info_from_camera(camera, width, height, header))
            images.publish(image_bytes(frames[order[len(stamps) % len(order)]], header))
            stamps.append(stamp.nanoseconds)
            due = max(due + 1 / rate, time.monotonic() - 1 / rate)
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        return stamps
    finally:
        node.destroy_node()


def main() -> int:
    """The command line; prints the stamps as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="Hz")
    parser.add_argument("--field-of-view", type=float, default=45.0, help="vertical, degrees")
    options = parser.parse_args(remove_ros_args(sys.argv)[1:])
    keep_freed_memory()  # as `run_node` does for the camera node
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        stamps = publish_clip(options.clip, options.rate, options.field_of_view)
    finally:
        rclpy.try_shutdown()
    print(json.dumps(stamps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
