"""The node ``hri_bridge``: publishes faces as the topics and frames of REP-155 (ROS4HRI)."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.msg import FaceArray
from face_expr_ros.retargeting.hri_values import ImageSize
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, node_status
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.hri import HOW_TO_INSTALL, HriBridgeConfig, HriPublisher
from face_expr_ros.ros.hri_messages import hri_types
from face_expr_ros.ros.image_messages import ImageDecoder
from face_expr_ros.ros.node_runner import LOG_INTERVAL, Finished, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.serialization.camera_info import image_size
from face_expr_ros.serialization.image_encodings import DecodeError

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
MAX_IMAGES = 10  # images stored until their faces arrive


class HriBridgeNode(Node):
    """Subscribes to images only while cropped images are subscribed or the image size is unknown.

    Raises:
        Finished: hri_msgs is not installed.
    """

    def __init__(self) -> None:
        super().__init__("hri_bridge", automatically_declare_parameters_from_overrides=True)
        self._last_faces: float | None = None
        self._config = Parameters(self, HriBridgeConfig).config
        types = hri_types()
        if types is None:
            self.get_logger().error(HOW_TO_INSTALL)
            self.destroy_node()
            raise Finished
        self._publish = HriPublisher(self, types, self._config, self._report)
        self._skipped = 0
        self._last_error = ""
        self._size: ImageSize | None = None
        self._decode = ImageDecoder()
        self._images: OrderedDict[tuple[int, int], Image | CompressedImage] = OrderedDict()
        self._image_input: Subscription[Any] | None = None
        self._topic = image_topic(self, self._config.image_transport)
        self.create_subscription(CameraInfo, camera_info_topic(self), self._on_camera_info, SENSOR_DATA)
        self.create_subscription(FaceArray, "faces", self._on_faces, 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self._config.input_timeout / 2, self._check_timeout, clock=steady)
        DiagnosticsPublisher(self, self._status)
        self.get_logger().info(f"publishing {self.resolve_topic_name('faces')} on /humans/faces")

    def _on_camera_info(self, message: CameraInfo) -> None:
        width, height = image_size(message)
        if width and height:
            self._size = ImageSize(width, height)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._images[_stamp(message.header)] = message
        while len(self._images) > MAX_IMAGES:
            self._images.popitem(last=False)

    def _on_faces(self, message: FaceArray) -> None:
        self._last_faces = time.monotonic()
        self._subscribe_to_images(self._publish.needs_images or self._size is None)
        image = self._image(message.header)
        try:
            faces = face_states(message)
        except ValueError as error:
            self._report(f"faces skipped: {error}")
            return
        self._publish(faces, message.header, self._size, image)

    def _image(self, header: Header) -> NDArray[np.uint8] | None:
        """The image with this stamp; None if it has not been received or cannot be decoded."""
        message = self._images.get(_stamp(header))
        if message is None:
            return None
        try:
            image = self._decode(message)
        except DecodeError as error:
            self._report(f"image skipped: {error}")
            return None
        self._size = ImageSize(image.shape[1], image.shape[0])
        return image

    def _subscribe_to_images(self, enabled: bool) -> None:
        if enabled and self._image_input is None:
            image_type = Image if self._config.image_transport == "raw" else CompressedImage
            self._image_input = self.create_subscription(image_type, self._topic, self._on_image, SENSOR_DATA)
        elif not enabled and self._image_input is not None:
            self.destroy_subscription(self._image_input)
            self._image_input = None
            self._images.clear()

    def _check_timeout(self) -> None:
        """Remove all faces when no message has been received for ``input_timeout``."""
        if self._last_faces is None or time.monotonic() - self._last_faces < self._config.input_timeout:
            return
        self._remove_faces()

    def _remove_faces(self) -> None:
        self._last_faces = None
        self._publish((), Header(stamp=self.get_clock().now().to_msg()), self._size, None)

    def destroy_node(self) -> None:
        """Publish that no face is tracked, and destroy the node."""
        if self._last_faces is not None:
            self._remove_faces()
            self._publish.finish()
        super().destroy_node()

    def _report(self, message: str) -> None:
        """Count a skipped output and log why, at most every LOG_INTERVAL."""
        self._skipped += 1
        self._last_error = message
        self.get_logger().error(message, throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topic = self.resolve_topic_name("faces")
        has_publisher = self.count_publishers(topic) > 0
        level = DiagnosticStatus.OK if has_publisher else DiagnosticStatus.WARN
        message = f"publishing {topic} on /humans/faces" if has_publisher else f"{topic} has no publisher"
        values = {"skipped": self._skipped, "last error": self._last_error}
        return node_status(self, level, message, topic, values)


def _stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec


def main() -> int:
    """The executable ``hri_bridge``."""
    return run_node(HriBridgeNode, "hri_bridge")


if __name__ == "__main__":
    sys.exit(main())
