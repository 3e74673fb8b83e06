"""The node ``avatar_bridge``: sends faces to avatar applications over UDP."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from face_expr_ros.core.types import FaceState
from face_expr_ros.msg import FaceArray
from face_expr_ros.retargeting.avatar_config import AvatarBridgeConfig, TargetConfig, load_targets
from face_expr_ros.retargeting.avatar_sender import Sender
from face_expr_ros.retargeting.avatar_stream import AvatarStream
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
        self._senders: list[Sender] = []
        self._streams: list[AvatarStream] = []
        for target in load_targets(self._config.targets):
            self._add(target)
        self.create_subscription(FaceArray, "faces", self._on_faces, 1)
        DiagnosticsPublisher(self, self._status)
        labels = ", ".join(sender.target.label for sender in self._senders)
        self.get_logger().info(f"sending {self.resolve_topic_name('faces')} to {labels}")

    def destroy_node(self) -> None:
        """Stop the sender threads and destroy the node."""
        for sender in self._senders:
            sender.close()
        super().destroy_node()

    def _add(self, target: TargetConfig) -> None:
        stream = AvatarStream(target, self._config.lost_after, self._config.relax)
        try:
            self._senders.append(Sender(target, stream, self._report))
        except OSError as error:
            self.destroy_node()
            purpose = f"on which {target.label} waits for a hello packet"
            raise StartError(f"cannot open port {target.port_number}, {purpose}: {error.strerror}") from error
        self._streams.append(stream)

    def _report(self, message: str) -> None:
        if self.context.ok():
            self.get_logger().warning(message, throttle_duration_sec=LOG_INTERVAL)

    def _on_faces(self, message: FaceArray) -> None:
        now = time.monotonic()
        try:
            faces = face_states(message)
            errors = [error for stream in self._streams if (error := _try_put(stream, faces, now))]
        except ValueError as error:
            errors = [str(error)]
        if errors:
            self._bad_messages += 1
            self.get_logger().error(f"faces skipped: {errors[0]}", throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topic = self.resolve_topic_name("faces")
        has_publisher = self.count_publishers(topic) > 0
        values: dict[str, int | str] = {"bad messages": self._bad_messages}
        for sender in self._senders:
            stats, label = sender.stats, sender.target.label
            values |= {f"{label} sent": stats.sent, f"{label} failed": stats.failed}
            values |= {f"{label} last error": stats.last_error} if stats.failed else {}
        level = DiagnosticStatus.OK if has_publisher else DiagnosticStatus.WARN
        message = f"sending to {len(self._senders)} targets" if has_publisher else f"{topic} has no publisher"
        return node_status(self, level, message, topic, values)


def _try_put(stream: AvatarStream, faces: Sequence[FaceState], now: float) -> str:
    """Pass the faces to a stream; the error message if they are invalid for it, else an empty string."""
    try:
        stream.put(faces, now)
    except ValueError as error:
        return str(error)
    return ""


def main() -> int:
    """The executable ``avatar_bridge``."""
    return run_node(AvatarBridgeNode, "avatar_bridge")


if __name__ == "__main__":
    sys.exit(main())
