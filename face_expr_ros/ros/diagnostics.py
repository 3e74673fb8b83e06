"""Status of the nodes on /diagnostics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

FPS_WINDOW = 2.0  # seconds
NO_FACE_YET = 30.0  # seconds without any face since the activation after which the orientation is questioned


@dataclass(frozen=True)
class InputStatus:
    """State of the perception node's inputs.

    Attributes:
        publishers: number of publishers of the image topic.
        input_timeout: time without an image after which a warning is published, seconds.
        camera_problem: why CameraInfo or a depth image cannot be used; empty if it can.
        lost_share: share of the images that are lost before they arrive, 0..1; None if it is not known.
        loss_problem: what to do against the loss of images; empty if it is small.
    """

    publishers: int
    input_timeout: float
    camera_problem: str
    lost_share: float | None = None
    loss_problem: str = ""


@dataclass
class Health:
    """Counters and timings of one perception node. Times are in seconds of a monotonic clock.

    Attributes:
        topic: resolved name of the image topic.
        facts: constant values, such as the model's name and hash.
    """

    topic: str
    facts: Mapping[str, str]
    started: float = 0.0
    frames: int = 0
    bad_frames: int = 0
    dropped: int = 0
    faces: int = 0
    last_error: str = ""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    input_age: float = 0.0
    _has_found_faces: bool = False  # since the activation
    _last_input: float | None = None
    _last_failure: float | None = None
    _published: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def start(self, now: float) -> None:
        """Record the activation of the node, from which the input timeout counts."""
        self.started = now
        self._last_input = self._last_failure = None
        self._has_found_faces = False

    def image_received(self, now: float, dropped: bool) -> None:
        """Record the arrival of an image; ``dropped``: it replaced one that was still waiting."""
        self._last_input = now
        self.dropped += dropped

    def frame_published(self, now: float, faces: int, stage_seconds: Mapping[str, float], input_age: float) -> None:
        """Record a published frame; ``input_age`` is the time from the image's stamp to now."""
        self.frames += 1
        self.faces = faces
        self._has_found_faces |= faces > 0
        self.stage_seconds = dict(stage_seconds)
        self.input_age = input_age
        self._published.append(now)

    def frame_failed(self, now: float, error: str) -> None:
        """Record an image that could not be processed."""
        self.bad_frames += 1
        self.last_error = error
        self._last_failure = now

    def fps(self, now: float) -> float:
        """Frames published per second over the last two seconds."""
        published = self._published.copy()  # the worker thread may append while this thread iterates
        recent = sum(1 for each in published if each > now - FPS_WINDOW)
        return recent / min(FPS_WINDOW, max(now - self.started, 1e-3))

    def summary(self, now: float, inputs: InputStatus) -> tuple[bytes, str]:
        """The level and the message of the status."""
        timeout = inputs.input_timeout
        silence = now - (self.started if self._last_input is None else self._last_input)
        if silence > timeout and inputs.publishers == 0:
            return DiagnosticStatus.WARN, f"no images: {self.topic} has no publisher"
        if silence > timeout and self._last_input is None:
            return DiagnosticStatus.WARN, (
                f"no images: {self.topic} has a publisher but nothing is received; check its QoS, "
                "and run `face_expr doctor`"
            )
        if silence > timeout:
            return DiagnosticStatus.WARN, f"no images: nothing received on {self.topic} for over {timeout:g} s"
        if self._last_failure is not None and now - self._last_failure < timeout:
            return DiagnosticStatus.ERROR, f"invalid images on {self.topic}: {self.last_error}"
        if inputs.loss_problem:
            return DiagnosticStatus.WARN, inputs.loss_problem
        if inputs.camera_problem:
            return DiagnosticStatus.WARN, inputs.camera_problem
        if not self._has_found_faces and now - self.started > NO_FACE_YET:
            return DiagnosticStatus.OK, (
                f"no faces detected for {NO_FACE_YET:g} s since activation; "
                "if the camera is mounted sideways or upside down, set image_rotation"
            )
        return DiagnosticStatus.OK, "faces detected" if self.faces else "no faces detected"

    def status(self, name: str, now: float, inputs: InputStatus) -> DiagnosticStatus:
        """The complete status: message and values."""
        level, message = self.summary(now, inputs)
        silence = "never" if self._last_input is None else f"{now - self._last_input:.1f}"
        values = {
            "image topic": self.topic,
            "faces": str(self.faces),
            "fps": f"{self.fps(now):.1f}",
            "image stamp to published [ms]": f"{self.input_age * 1e3:.1f}",
            "since last image [s]": silence,
            "frames": str(self.frames),
            "dropped frames": str(self.dropped),
            "lost images [%]": "unknown" if inputs.lost_share is None else f"{100 * inputs.lost_share:.0f}",
            "bad frames": str(self.bad_frames),
            "last error": self.last_error,
            **{f"{stage} [ms]": f"{seconds * 1e3:.2f}" for stage, seconds in self.stage_seconds.items()},
            **self.facts,
        }
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        return DiagnosticStatus(level=level, name=name, message=message, hardware_id=self.topic, values=pairs)


def node_status(node: Node, level: bytes, message: str, topic: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """The status of a node.

    Args:
        node: provides the name of the status.
        level: DiagnosticStatus.OK, WARN or ERROR.
        message: summary in one sentence.
        topic: the node's input topic.
        values: details, in this order.
    """
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    name = node.get_fully_qualified_name().lstrip("/")
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id=topic, values=pairs)


class DiagnosticsPublisher:
    """Publishes a status on /diagnostics once a second, and logs a warning when the message changes.

    Args:
        node: its clock stamps the messages; the timer uses steady time, so that a paused simulation is reported, too.
        status: returns the current status, or None while there is nothing to publish.
    """

    def __init__(self, node: Node, status: Callable[[], DiagnosticStatus | None]) -> None:
        self._node = node
        self._status = status
        self._last_message = ""
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        status = self._status()
        if status is None:
            return
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=[status]))
        if status.level == DiagnosticStatus.WARN and status.message != self._last_message:
            self._node.get_logger().warning(status.message)
        self._last_message = status.message
