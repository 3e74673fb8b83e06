"""Input of one camera for ROS4HRI: its faces, the images of their stamps, and the image size."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.msg import FaceArray
from face_expr_ros.retargeting.hri_values import ImageSize
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.hri import HriBridgeConfig, HriPublisher
from face_expr_ros.ros.image_messages import ImageDecoder
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.serialization.camera_info import image_size
from face_expr_ros.serialization.image_encodings import DecodeError

SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
MAX_IMAGES = 10  # images stored until their faces arrive


class HriCamera:
    """Publishes the faces of one camera. Images are subscribed only while needed.

    The size of the images is that of an image: a driver may publish the CameraInfo of another resolution. It is taken
    from CameraInfo until the first image, and taken anew when that of CameraInfo changes.

    Args:
        node: the node that subscribes.
        namespace: of the camera's topics, such as /front; empty: that of the node.
        publish, config: see there.
        report: called with a message for each input that is skipped.
    """

    def __init__(
        self,
        node: Node,
        namespace: str,
        publish: HriPublisher,
        config: HriBridgeConfig,
        report: Callable[[str], None],
    ) -> None:
        self._node, self._publish, self._config, self._report = node, publish, config, report
        self._size: ImageSize | None = None
        self._described: ImageSize | None = None  # by CameraInfo
        self._is_measured = False  # the size is that of an image
        self._decode = ImageDecoder()
        self._images: OrderedDict[tuple[int, int], Image | CompressedImage] = OrderedDict()
        self._image_input: Subscription[Any] | None = None
        self._last_faces: float | None = None
        self._image_topic = image_topic(node, config.image_transport, namespace)
        self.topic = node.resolve_topic_name(f"{namespace}/faces" if namespace else "faces")
        node.create_subscription(CameraInfo, camera_info_topic(node, namespace), self._on_camera_info, SENSOR_DATA)
        node.create_subscription(FaceArray, self.topic, self._on_faces, 10)

    def check_timeout(self) -> None:
        """Remove all faces when no message has been received for ``input_timeout``."""
        if self._last_faces is not None and time.monotonic() - self._last_faces >= self._config.input_timeout:
            self.remove_faces()

    def remove_faces(self) -> None:
        """Publish that no face is tracked, if any message of faces has been received."""
        if self._last_faces is not None:
            self._last_faces = None
            self._publish((), Header(stamp=self._node.get_clock().now().to_msg()), self._size, None)

    def _on_camera_info(self, message: CameraInfo) -> None:
        described = ImageSize(*image_size(message))
        if described != self._described:
            self._described, self._is_measured = described, False
            self._size = described if described.width and described.height else None

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._images[_stamp(message.header)] = message
        while len(self._images) > MAX_IMAGES:
            self._images.popitem(last=False)

    def _on_faces(self, message: FaceArray) -> None:
        self._last_faces = time.monotonic()
        self._subscribe_to_images(self._publish.needs_images or not self._is_measured)
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
        self._size, self._is_measured = ImageSize(image.shape[1], image.shape[0]), True
        return image

    def _subscribe_to_images(self, enabled: bool) -> None:
        if enabled and self._image_input is None:
            image_type = Image if self._config.image_transport == "raw" else CompressedImage
            topic = self._image_topic
            self._image_input = self._node.create_subscription(image_type, topic, self._on_image, SENSOR_DATA)
        elif not enabled and self._image_input is not None:
            self._node.destroy_subscription(self._image_input)
            self._image_input = None
            self._images.clear()


def _stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec
