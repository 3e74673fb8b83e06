"""The node ``avatar_bridge``: faces in, packets for avatars out."""

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
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, status_of
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.node_runner import LOG_INTERVAL, StartError, run_node
from face_expr_ros.ros.parameters import Parameters


class AvatarBridgeNode(Node):
    """One thread for each target; faces that cannot be used and packets that cannot be sent are counted."""

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
        self.get_logger().info(f"{self.resolve_topic_name('faces')} goes to {labels}")

    def destroy_node(self) -> None:
        """First ends the threads."""
        for sender in self._senders:
            sender.close()
        super().destroy_node()

    def _add(self, target: TargetConfig) -> None:
        stream = AvatarStream(target, self._config.lost_after, self._config.relax)
        try:
            self._senders.append(Sender(target, stream, self._report))
        except OSError as error:
            self.destroy_node()
            place = f"{target.label} waits for a hello at port {target.port_number}"
            raise StartError(f"{place}, which cannot be opened: {error.strerror}") from error
        self._streams.append(stream)

    def _report(self, sentence: str) -> None:
        if self.context.ok():
            self.get_logger().warning(sentence, throttle_duration_sec=LOG_INTERVAL)

    def _on_faces(self, message: FaceArray) -> None:
        now = time.monotonic()
        try:
            faces = face_states(message)
            problems = [problem for stream in self._streams if (problem := _problem(stream, faces, now))]
        except ValueError as error:
            problems = [str(error)]
        if problems:
            self._bad_messages += 1
            self.get_logger().error(f"faces left out: {problems[0]}", throttle_duration_sec=LOG_INTERVAL)

    def _status(self) -> DiagnosticStatus:
        topic = self.resolve_topic_name("faces")
        silent = not self.count_publishers(topic)
        values: dict[str, int | str] = {"bad messages": self._bad_messages}
        for sender in self._senders:
            stats, label = sender.stats, sender.target.label
            values |= {f"{label} sent": stats.sent, f"{label} failed": stats.failed}
            values |= {f"{label} last error": stats.last_error} if stats.failed else {}
        level = DiagnosticStatus.WARN if silent else DiagnosticStatus.OK
        message = f"nobody publishes {topic}" if silent else f"sending to {len(self._senders)} targets"
        return status_of(self, level, message, topic, values)


def _problem(stream: AvatarStream, faces: Sequence[FaceState], now: float) -> str:
    """Hand the faces over; why that cannot be, which is no reason to keep them from other avatars."""
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
