"""The node ``camera``: publishes synthetic images, a device, a video or a folder of images."""

from __future__ import annotations

import sys

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.types import Camera
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.ros.camera_info_url import calibration_of
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.ground_truth import truth_array
from face_expr_ros.ros.node_runner import Finished, run_node
from face_expr_ros.ros.parameters import Parameters
from face_expr_ros.sources import SourceFrame, is_live, open_source, without_password
from face_expr_ros.sources.pace import EndOfSource, Pace
from face_expr_ros.sources.video import VideoSource

MIN_WAIT_NS = 1_000  # between two ticks; with 0 the timer would be ready at once, again and again
SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


class CameraNode(Node):
    """Publishes image, camera_info and, for synthetic images, ground_truth, all with the same header."""

    def __init__(self) -> None:
        super().__init__("camera", automatically_declare_parameters_from_overrides=True)
        self._config = Parameters(self, CameraConfig).config
        self._model = open_face_model("open")  # of the synthetic faces
        self._source = open_source(self._config, self.get_logger().warning)
        self.context.on_shutdown(self._source.close)
        self._calibration = self._read_calibration()
        self._pace = Pace(self._source, self._config.rate)
        self._image = self._publisher(Image, "image")
        self._info = self._publisher(CameraInfo, "camera_info")
        self._truth = self._publisher(FaceArray, "ground_truth")
        # A source that is played once starts with the first subscription, so that no image is lost.
        self._is_waiting = not self._config.loop and not is_live(self._config.source)
        # The timer uses steady time because images do not depend on a simulation's clock.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1 / self._config.rate, self._tick, clock=steady)
        topic = self._image.topic_name
        self.get_logger().info(
            f"publishing {without_password(self._config.source)} {self._speed()} on {topic}"
            + (", once, after the first subscription" if self._is_waiting else "")
        )

    def _tick(self) -> None:
        if self._is_waiting:
            if not self._image.get_subscription_count():
                return
            self._is_waiting = False
        try:
            frame = self._pace.take()
        except EndOfSource:
            self.get_logger().info(f"{without_password(self._config.source)} has ended")
            raise Finished from None
        if frame is not None:
            # The stamp is that of the tick, for which the image and its ground truth were produced.
            self._publish(frame, Header(stamp=self.get_clock().now().to_msg(), frame_id=self._config.frame_id))
            self._pace.prepare()
        self._timer.timer_period_ns = max(MIN_WAIT_NS, round(self._pace.wait * 1e9))
        self._timer.reset()

    def _speed(self) -> str:
        rate = self._config.rate
        return "at the times of the file" if isinstance(self._source, VideoSource) else f"at {rate:g} Hz"

    def _publish(self, frame: SourceFrame, header: Header) -> None:
        height, width = frame.image.shape[:2]
        self._info.publish(info_from_camera(self._camera_of(frame), width, height, header))
        self._image.publish(image_bytes(frame.image, header))
        if frame.truths is not None and frame.camera is not None:
            self._truth.publish(truth_array(frame.truths, self._model, frame.camera, header))

    def _read_calibration(self) -> Camera | None:
        config = self._config
        return None if config.source == "synthetic" else calibration_of(config.camera_info_url, config.camera_name)

    def _camera_of(self, frame: SourceFrame) -> Camera | None:
        """The calibration of ``camera_info_url``, or that beside a file, or that of the camera's name."""
        return self._calibration if self._config.camera_info_url else frame.camera or self._calibration

    def _publisher(self, message_type: type, topic: str) -> Publisher:
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_publisher(message_type, topic, SENSOR_DATA, qos_overriding_options=overrides)


def main() -> int:
    """The executable ``camera``."""
    return run_node(CameraNode, "camera", publishes_camera=True)


if __name__ == "__main__":
    sys.exit(main())
