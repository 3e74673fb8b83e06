"""Camera node of the benchmarks: publishes a prerendered clip, so that rendering does not affect the measurement."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.malloc_tuning import keep_freed_memory

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
_TOPICS = {False: (Image, "image"), True: (CompressedImage, "image/compressed")}
FRAME_ID = "bench_optical_frame"


def publish_clip(clip: Path, rate: float, field_of_view: float, compressed: bool = False) -> list[int]:
    """Publish the frames of a file forward and backward at a rate in Hz, until SIGINT.

    A tick that is late by more than a period is skipped, so that there are no bursts.

    Args:
        clip: (n, height, width, 3) uint8, BGR, written by `numpy.save`.
        rate: frames per second.
        field_of_view: vertical field of view of the published CameraInfo, degrees.
        compressed: publish JPEG images, compressed beforehand, on ``image/compressed``.

    Returns:
        The stamps of the published images, nanoseconds.
    """
    frames = np.load(clip, mmap_mode="r")
    node = Node("bench_camera")
    images = node.create_publisher(*_TOPICS[compressed], SENSOR_DATA)
    infos = node.create_publisher(CameraInfo, "camera_info", SENSOR_DATA)
    height, width = frames.shape[1:3]
    camera = pinhole_camera(width, height, field_of_view)
    make = _jpeg_messages(frames) if compressed else [partial(image_bytes, frame) for frame in frames]
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    stamps: list[int] = []
    due = time.monotonic()
    try:
        while True:
            stamp = node.get_clock().now()
            header = Header(stamp=stamp.to_msg(), frame_id=FRAME_ID)
            infos.publish(info_from_camera(camera, width, height, header))
            images.publish(make[order[len(stamps) % len(order)]](header))
            stamps.append(stamp.nanoseconds)
            due = max(due + 1 / rate, time.monotonic() - 1 / rate)
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        return stamps
    finally:
        node.destroy_node()


def _jpeg_messages(frames: NDArray[np.uint8]) -> list[Callable[[Header], CompressedImage]]:
    """What makes the message of each frame, with the quality that image_transport uses."""
    encoded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for frame in frames]
    return [partial(_jpeg_message, data) for data in encoded]


def _jpeg_message(data: bytes, header: Header) -> CompressedImage:
    return CompressedImage(header=header, format="bgr8; jpeg compressed bgr8", data=data)


def main() -> int:
    """The command line; prints the stamps as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rate", type=float, required=True, help="Hz")
    parser.add_argument("--field-of-view", type=float, default=45.0, help="vertical, degrees")
    parser.add_argument("--transport", choices=("raw", "compressed"), default="raw")
    options = parser.parse_args(remove_ros_args(sys.argv)[1:])
    keep_freed_memory()  # as `run_node` does for the camera node
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        stamps = publish_clip(options.clip, options.rate, options.field_of_view, options.transport == "compressed")
    finally:
        rclpy.try_shutdown()
    print(json.dumps(stamps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
