"""The node ``head_control``: computes joint targets of a robot's head from faces."""

from __future__ import annotations

import sys

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from face_expr_ros.core.calibration import open_calibration
from face_expr_ros.core.types import FaceState
from face_expr_ros.msg import FaceArray
from face_expr_ros.retargeting.calibrated_faces import calibrated
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import load_joints, select_joints
from face_expr_ros.ros.diagnostics import DiagnosticsPublisher, node_status
from face_expr_ros.ros.face_states import face_states
from face_expr_ros.ros.joint_messages import joint_state, joint_trajectory, measured_positions
from face_expr_ros.ros.node_runner import LOG_INTERVAL, run_node
from face_expr_ros.ros.parameters import Parameters

LIVE_PARAMETERS = ("follow", "face_id", "switch_margin", "switch_after", "input_timeout", "hold", "return_speed")


class HeadControlNode(Node):
    """Publishes joint targets at a fixed rate, independent of the rate of the faces."""

    def __init__(self) -> None:
        super().__init__("head_control", automatically_declare_parameters_from_overrides=True)
        self._config = Parameters(self, HeadControlConfig, LIVE_PARAMETERS, on_change=self._configure).config
        delay = 0.0 if self._config.output == "joint_state" else self._config.trajectory_delay
        self._lead_ns = round(min(self._config.trajectory_lead, delay) * 1e9)
        joints = select_joints(load_joints(self._config.table), self._config.joints)
        self._response = open_calibration(self._config.calibration)
        self._controller = HeadController(joints, self._config, self._warn, delay)
        self._names = tuple(self._controller.joints)
        self._latest: FaceArray | None = None
        self._messages = 0
        self._bad_messages = 0
        self._is_started = self._config.start == "rest"
        self._state = self._trajectory = None
        if self._config.output != "joint_trajectory":
            self._state = self.create_publisher(JointState, "joint_targets", 10)
        if self._config.output != "joint_state":
            self._trajectory = self.create_publisher(JointTrajectory, "joint_trajectory", 10)
        self.create_subscription(FaceArray, "faces", self._on_faces, 1)
        self._measured: Subscription | None = None
        if not self._is_started:
            self._measured = self.create_subscription(JointState, "joint_states", self._on_joint_states, 10)
        self.create_timer(1.0 / self._config.rate, self._tick, clock=self._timer_clock())
        DiagnosticsPublisher(self, self._status)
        self.get_logger().info(f"controlling {len(self._names)} joints from {self.resolve_topic_name('faces')}")

    def _timer_clock(self) -> Clock:
        """The simulation's clock, else the steady clock, which does not stop when the system time is set back."""
        if self.get_parameter("use_sim_time").value:
            return self.get_clock()
        return Clock(clock_type=ClockType.STEADY_TIME)

    def _configure(self, config: HeadControlConfig) -> None:
        self._controller.configure(config)

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=LOG_INTERVAL)

    def _on_faces(self, message: FaceArray) -> None:
        self._latest = message
        self._messages += 1

    def _on_joint_states(self, message: JointState) -> None:
        """Start from the measured positions and unsubscribe."""
        positions = measured_positions(message, self._names)
        if positions is not None and self._measured is not None:
            self._controller.set_positions(positions)
            self._is_started = True
            self.destroy_subscription(self._measured)
            self._measured = None

    def _tick(self) -> None:
        if not self._is_started:
            return
        now = self.get_clock().now()
        targets = self._controller(self._faces(), now.nanoseconds)
        if self._state is not None:
            self._state.publish(joint_state(targets, now.to_msg()))
        if self._trajectory is not None:
            knots = self._controller.trajectory(now.nanoseconds + self._lead_ns)
            self._trajectory.publish(joint_trajectory(self._names, knots))

    def _faces(self) -> tuple[FaceState, ...] | None:
        """The faces of the latest message since the last tick; None without a message or if it is invalid."""
        message, self._latest = self._latest, None
        if message is None:
            return None
        try:
            faces = face_states(message)
            return faces if self._response is None else tuple(calibrated(faces, self._response))
        except ValueError as error:
            self._bad_messages += 1
            self.get_logger().error(f"faces skipped: {error}", throttle_duration_sec=LOG_INTERVAL)
            return None

    def _status(self) -> DiagnosticStatus:
        followed, topic = self._controller.followed, self.resolve_topic_name("faces")
        level, text = DiagnosticStatus.OK, f"following {followed}" if followed else "no face to follow"
        if not self._is_started:
            states = self.resolve_topic_name("joint_states")
            level, text = DiagnosticStatus.WARN, f"waiting for the joints {', '.join(self._names)} on {states}"
        elif self.get_parameter("use_sim_time").value and not self.get_clock().now().nanoseconds:
            level, text = DiagnosticStatus.WARN, "use_sim_time is true but nothing is received on /clock: paused"
        elif not self.count_publishers(topic):
            level, text = DiagnosticStatus.WARN, f"{topic} has no publisher"
        values = {
            "followed": followed,
            "messages": self._messages,
            "bad messages": self._bad_messages,
            "values missing or not finite": self._controller.rejected,
        }
        return node_status(self, level, text, topic, values)


def main() -> int:
    """The executable ``head_control``."""
    return run_node(HeadControlNode, "head_control")


if __name__ == "__main__":
    sys.exit(main())
