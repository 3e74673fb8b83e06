"""The node ``hri_bridge``: faces as the topics and frames of REP-155 (ROS4HRI)."""

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
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, status_of
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.hri import HOW_TO_INSTALL, HriBridgeConfig, HriFaces
from face_expr_ros.ros.hri_messages import hri_types
from face_expr_ros.ros.node_runner import LOG_INTERVAL, Finished, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.serialization.camera_info import image_size
from face_expr_ros.serialization.image_decoding import DecodeError, decode

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
KEPT_IMAGES = 10  # images that wait for their faces


class HriBridgeNode(Node):
    """Images are only subscribed while somebody wants pictures of faces, or nothing else tells their size.

    Raises:
        Finished: hri_msgs is not installed.
    """

    def __init__(self) -> None:
        super().__init__("hri_bridge", automatically_declare_parameters_from_overrides=True)
        self._config = Parameters(self, HriBridgeConfig).config
        types = hri_types()
        if types is None:
            self.get_logger().error(HOW_TO_INSTALL)
            self.destroy_node()
            raise Finished
        self._publish = HriFaces(self, types, self._config, self._leave_out)
        self._left_out = 0
        self._last_error = ""
        self._size: ImageSize | None = None
        self._images: OrderedDict[tuple[int, int], Image | CompressedImage] = OrderedDict()
        self._image_input: Subscription[Any] | None = None
        self._last_faces: float | None = None
        self._topic = image_topic(self, self._config.image_transport)
        self.create_subscription(CameraInfo, camera_info_topic(self), self._on_camera_info, SENSOR_DATA)
        self.create_subscription(FaceArray, "faces", self._on_faces, 10)
        self.create_timer(self._config.input_timeout / 2, self._forget, clock=Clock(clock_type=ClockType.STEADY_TIME))
        DiagnosticsPublisher(self, self._status)
        self.get_logger().info(f"{self.resolve_topic_name('faces')} goes to /humans/faces")

    def _on_camera_info(self, message: CameraInfo) -> None:
        width, height = image_size(message)
        if width and height:
            self._size = ImageSize(width, height)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._images[_stamp(message.header)] = message
        while len(self._images) > KEPT_IMAGES:
            self._images.popitem(last=False)

    def _on_faces(self, message: FaceArray) -> None:
        self._last_faces = time.monotonic()
        self._listen_to_images(self._publish.wants_images or self._size is None)
        image = self._image(message.header)
        try:
            faces = face_states(message)
        except ValueError as error:
            self._leave_out(f"faces left out: {error}")
            return
        self._publish(faces, message.header, self._size, image)

    def _image(self, header: Header) -> NDArray[np.uint8] | None:
        """The image of these faces; None where it is not subscribed, did not come or cannot be read."""
        message = self._images.get(_stamp(header))
        if message is None:
            return None
        try:
            image = decode(message)
        except DecodeError as error:
            self._leave_out(f"image left out: {error}")
            return None
        self._size = ImageSize(image.shape[1], image.shape[0])
        return image

    def _listen_to_images(self, wanted: bool) -> None:
        if wanted and self._image_input is None:
            kind = Image if self._config.image_transport == "raw" else CompressedImage
            self._image_input = self.create_subscription(kind, self._topic, self._on_image, SENSOR_DATA)
        elif not wanted and self._image_input is not None:
            self.destroy_subscription(self._image_input)
            self._image_input = None
            self._images.clear()

    def _forget(self) -> None:
        """Nobody is in view any more when nothing is said of faces for a while."""
        if self._last_faces is None or time.monotonic() - self._last_faces < self._config.input_timeout:
            return
        self._last_faces = None
        self._publish((), Header(stamp=self.get_clock().now().to_msg()), self._size, None)

    def _leave_out(self, sentence: str) -> None:
        """Count what cannot be said of a face, and say why once in a while."""
        self._left_out += 1
        self._last_error = sentence
        self.get_logger().error(sentence, throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topic = self.resolve_topic_name("faces")
        silent = not self.count_publishers(topic)
        level = DiagnosticStatus.WARN if silent else DiagnosticStatus.OK
        message = f"nobody publishes {topic}" if silent else f"{topic} goes to /humans/faces"
        values = {"left out": self._left_out, "last error": self._last_error}
        return status_of(self, level, message, topic, values)


def _stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec


def main() -> int:
    """The executable ``hri_bridge``."""
    return run_node(HriBridgeNode, "hri_bridge")


if __name__ == "__main__":
    sys.exit(main())
