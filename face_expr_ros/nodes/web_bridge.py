"""The node ``web_bridge``: serves the faces of a topic to web browsers."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from face_expr_ros.core.calibration import load_calibration
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.core.types import Camera
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.msg import FaceArray, FaceModel
from face_expr_ros.ros.face_model_subscription import resolve_face_model
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.image_messages import ImageDecoder
from face_expr_ros.ros.neutral_client import NeutralClient
from face_expr_ros.ros.node_runner import LOG_INTERVAL, StartError, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.ros.stamps import stamp_ns
from face_expr_ros.ros.topics import camera_info_topic, image_topic
from face_expr_ros.serialization.camera_info import image_size
from face_expr_ros.serialization.camera_keeper import CameraKeeper, is_rectified
from face_expr_ros.serialization.image_encodings import DecodeError
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.picture import PicturePace, camera_picture
from face_expr_ros.web.server import FaceServer, ServerError

LATEST = QoSProfile(depth=1)  # reliable
SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
DEMAND_INTERVAL = 0.25  # seconds between two checks whether a client requests pictures


class WebBridgeNode(Node):
    """Subscribes to faces and passes them to the web server, which runs in a thread of this process."""

    def __init__(self) -> None:
        super().__init__("web_bridge", automatically_declare_parameters_from_overrides=True)
        self._config: WebConfig = Parameters(self, WebConfig).config
        rectified = is_rectified("auto", image_topic(self, self._config.image_transport))
        self._cameras = CameraKeeper(self._config.field_of_view, rectified=rectified)
        self._info: CameraInfo | None = None
        self._pace = PicturePace()
        self._decode = ImageDecoder()
        self._image_input: Subscription | None = None
        self._neutral = NeutralClient(self, "perception/calibrate_neutral")
        person = load_calibration(Path(self._config.calibration)) if self._config.calibration else None
        topic = self.resolve_topic_name("faces")
        try:
            model = open_face_model(self._config.bundle)
            self._server = FaceServer(self._config, model, topic, person, self._neutral.request)
        except ServerError as error:
            raise StartError(str(error)) from error
        self._encoder = LatestItemWorker(self._show, "picture")
        self._subscribe(FaceArray, "faces", self._on_faces, LATEST)
        self._subscribe(FaceModel, "face_model", self._on_face_model, LATCHED)
        self._subscribe(CameraInfo, camera_info_topic(self), self._on_camera_info, SENSOR_DATA)
        if self._config.camera_picture:
            self.create_timer(DEMAND_INTERVAL, self._update_image_subscription)
        self.get_logger().info(f"serving the page at {self._server.url}")

    def destroy_node(self) -> None:
        """Stop the encoder and the server, and destroy the node."""
        if hasattr(self, "_encoder"):
            self._encoder.close()
            self._server.close()
        super().destroy_node()

    def _subscribe(self, message_type: type[Any], topic: str, callback: Any, qos: QoSProfile) -> Subscription:
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_subscription(message_type, topic, callback, qos, qos_overriding_options=overrides)

    def _on_faces(self, message: FaceArray) -> None:
        try:
            states = face_states(message)
        except ValueError as error:
            self.get_logger().error(f"faces skipped: {error}", throttle_duration_sec=LOG_INTERVAL)
            return
        self._server.publish(states, stamp_ns(message.header.stamp), self._camera())

    def _on_face_model(self, message: FaceModel) -> None:
        if message.sha256 == self._server.hub.model.model.sha256:
            return
        try:
            self._server.announce(resolve_face_model(message))
        except ValueError as error:
            self.get_logger().error(f"face model ignored: {error}")

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._info = message
        self._cameras.update(message)

    def _camera(self) -> Camera | None:
        """The camera of the latest CameraInfo; None before the first one."""
        if self._info is None:
            return None
        width, height = image_size(self._info)
        return self._cameras.camera(width, height) if width and height else None

    def _update_image_subscription(self) -> None:
        """Subscribe to images only while a client displays them."""
        enabled = self._server.camera_clients > 0
        if enabled and self._image_input is None:
            image_type = Image if self._config.image_transport == "raw" else CompressedImage
            topic = image_topic(self, self._config.image_transport)
            self._image_input = self._subscribe(image_type, topic, self._on_image, SENSOR_DATA)
        elif not enabled and self._image_input is not None:
            self.destroy_subscription(self._image_input)
            self._image_input = None

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._pace.due(time.monotonic(), self._server.camera_clients):
            self._encoder.put(message)

    def _show(self, message: Image | CompressedImage) -> None:
        """Runs in a separate thread, so that decoding and encoding do not delay the faces."""
        try:
            picture = camera_picture(self._decode(message), stamp_ns(message.header.stamp))
        except DecodeError as error:
            self.get_logger().error(f"image skipped: {error}", throttle_duration_sec=LOG_INTERVAL)
            return
        self._server.publish_picture(picture)


def main() -> int:
    """The executable ``web_bridge``."""
    return run_node(WebBridgeNode, "web_bridge")


if __name__ == "__main__":
    sys.exit(main())
