"""The node ``hri_bridge``: publishes faces as the topics and frames of REP-155 (ROS4HRI)."""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, node_status
from face_expr_ros.ros.hri import FACES, HOW_TO_INSTALL, HriBridgeConfig, HriPublisher, TrackedFaces
from face_expr_ros.ros.hri_camera import HriCamera
from face_expr_ros.ros.hri_messages import hri_types
from face_expr_ros.ros.node_runner import LOG_INTERVAL, Finished, run_node
from face_expr_ros.ros.parameters import Parameters


class HriBridgeNode(Node):
    """Publishes the faces of one or several cameras.

    Raises:
        Finished: hri_msgs is not installed.
    """

    def __init__(self) -> None:
        super().__init__("hri_bridge", automatically_declare_parameters_from_overrides=True)
        self._cameras: list[HriCamera] = []
        config = Parameters(self, HriBridgeConfig).config
        types = hri_types()
        if types is None:
            self.get_logger().error(HOW_TO_INSTALL)
            self.destroy_node()
            raise Finished
        self._skipped = 0
        self._last_error = ""
        self._tracked = TrackedFaces(self, types)
        self._cameras = [
            HriCamera(self, name, HriPublisher(self, types, config, self._report, self._tracked), config, self._report)
            for name in config.namespaces.split() or [""]
        ]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(config.input_timeout / 2, self._check_timeouts, clock=steady)
        DiagnosticsPublisher(self, self._status)
        self.get_logger().info(f"publishing {', '.join(camera.topic for camera in self._cameras)} on {FACES}")

    def _check_timeouts(self) -> None:
        for camera in self._cameras:
            camera.check_timeout()

    def destroy_node(self) -> None:
        """Publish that no face is tracked, and destroy the node."""
        for camera in self._cameras:
            camera.remove_faces()
        if self._cameras:
            self._tracked.finish()
        super().destroy_node()

    def _report(self, message: str) -> None:
        """Count a skipped output and log why, at most every LOG_INTERVAL."""
        self._skipped += 1
        self._last_error = message
        self.get_logger().error(message, throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topics = ", ".join(camera.topic for camera in self._cameras)
        silent = [camera.topic for camera in self._cameras if not self.count_publishers(camera.topic)]
        level, message = DiagnosticStatus.OK, f"publishing {topics} on {FACES}"
        if silent:
            level = DiagnosticStatus.WARN
            message = f"{', '.join(silent)} {'has' if len(silent) == 1 else 'have'} no publisher"
        elif self._tracked.has_other_publishers:
            level, message = DiagnosticStatus.WARN, self._tracked.conflict
            self.get_logger().warning(message, throttle_duration_sec=60.0)
        values = {"skipped": self._skipped, "last error": self._last_error}
        return node_status(self, level, message, topics, values)


def main() -> int:
    """The executable ``hri_bridge``."""
    return run_node(HriBridgeNode, "hri_bridge")


if __name__ == "__main__":
    sys.exit(main())
