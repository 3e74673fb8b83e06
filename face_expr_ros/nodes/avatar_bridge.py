"""The node ``avatar_bridge``: sends faces to avatar applications over UDP."""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from face_expr_ros.msg import FaceArray
from face_expr_ros.retargeting.avatar_config import AvatarBridgeConfig, load_targets
from face_expr_ros.retargeting.avatar_senders import AvatarError, AvatarSenders
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, node_status
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.node_runner import LOG_INTERVAL, StartError, run_node
from face_expr_ros.ros.parameters import Parameters


class AvatarBridgeNode(Node):
    """Runs one sender thread per target; invalid messages and failed packets are counted."""

    def __init__(self) -> None:
        super().__init__("avatar_bridge", automatically_declare_parameters_from_overrides=True)
        self._config = Parameters(self, AvatarBridgeConfig).config
        self._bad_messages = 0
        config = self._config
        targets = load_targets(config.targets)
        try:
            self._avatars = AvatarSenders(
                targets, config.lost_after, config.relax, self._report, calibration=config.calibration
            )
        except AvatarError as error:
            raise StartError(str(error)) from error
        self.create_subscription(FaceArray, "faces", self._on_faces, 1)
        DiagnosticsPublisher(self, self._status)
        labels = ", ".join(sender.target.label for sender in self._avatars.senders)
        self.get_logger().info(f"sending {self.resolve_topic_name('faces')} to {labels}")

    def destroy_node(self) -> None:
        """Stop the sender threads and destroy the node."""
        if hasattr(self, "_avatars"):
            self._avatars.close()
        super().destroy_node()

    def _report(self, message: str) -> None:
        if self.context.ok():
            self.get_logger().warning(message, throttle_duration_sec=LOG_INTERVAL)

    def _on_faces(self, message: FaceArray) -> None:
        try:
            error = self._avatars.put(face_states(message))
        except ValueError as invalid:
            error = str(invalid)
        if error:
            self._bad_messages += 1
            self.get_logger().error(f"faces skipped: {error}", throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topic = self.resolve_topic_name("faces")
        has_publisher = self.count_publishers(topic) > 0
        values: dict[str, int | str] = {"bad messages": self._bad_messages}
        for sender in self._avatars.senders:
            stats, label = sender.stats, sender.target.label
            values |= {f"{label} sent": stats.sent, f"{label} failed": stats.failed}
            values |= {f"{label} last error": stats.last_error} if stats.failed else {}
        level = DiagnosticStatus.OK if has_publisher else DiagnosticStatus.WARN
        message = f"sending to {len(self._avatars.senders)} targets" if has_publisher else f"{topic} has no publisher"
        return node_status(self, level, message, topic, values)


def main() -> int:
    """The executable ``avatar_bridge``."""
    return run_node(AvatarBridgeNode, "avatar_bridge")


if __name__ == "__main__":
    sys.exit(main())
