"""What nodes say about themselves on /diagnostics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

FPS_WINDOW = 2.0  # seconds


@dataclass(frozen=True)
class InputStatus:
    """What the health of a node depends on besides its own work.

    Attributes:
        publishers: of the image topic.
        input_timeout: silence of the image topic, in seconds, that is worth a warning.
        camera_problem: why CameraInfo cannot be used, or an empty text.
    """

    publishers: int
    input_timeout: float
    camera_problem: str


@dataclass
class Health:
    """Counts and times of one perception node. Times are seconds of a monotonic clock that the caller reads.

    Attributes:
        topic: the image topic, as others see it.
        facts: constant lines, such as the model's name and hash.
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
    _last_input: float | None = None
    _last_failure: float | None = None
    _done: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def start(self, now: float) -> None:
        """The node became active: silence counts from now."""
        self.started = now
        self._last_input = self._last_failure = None

    def arrived(self, now: float, dropped: bool) -> None:
        """An image came in; ``dropped``: an older one had to go for it."""
        self._last_input = now
        self.dropped += dropped

    def succeeded(self, now: float, faces: int, stage_seconds: Mapping[str, float], input_age: float) -> None:
        """A frame was published; ``input_age`` is the time from the image's stamp to now."""
        self.frames += 1
        self.faces = faces
        self.stage_seconds = dict(stage_seconds)
        self.input_age = input_age
        self._done.append(now)

    def failed(self, now: float, error: str) -> None:
        """A frame could not be used."""
        self.bad_frames += 1
        self.last_error = error
        self._last_failure = now

    def fps(self, now: float) -> float:
        """Frames published per second over the last two seconds."""
        recent = sum(1 for done in self._done if done > now - FPS_WINDOW)
        return recent / min(FPS_WINDOW, max(now - self.started, 1e-3))

    def problem(self, now: float, surroundings: InputStatus) -> tuple[bytes, str]:
        """The level and the sentence that a person should read first."""
        timeout = surroundings.input_timeout
        silence = now - (self.started if self._last_input is None else self._last_input)
        if silence > timeout and surroundings.publishers == 0:
            return DiagnosticStatus.WARN, f"no image arrives: nobody publishes {self.topic}"
        if silence > timeout and self._last_input is None:
            return DiagnosticStatus.WARN, (
                f"no image has arrived on {self.topic} though it is published: check its QoS, and `face_expr doctor`"
            )
        if silence > timeout:
            return DiagnosticStatus.WARN, f"the image topic {self.topic} has stopped"
        if self._last_failure is not None and now - self._last_failure < timeout:
            return DiagnosticStatus.ERROR, f"bad images on {self.topic}: {self.last_error}"
        if surroundings.camera_problem:
            return DiagnosticStatus.WARN, surroundings.camera_problem
        return DiagnosticStatus.OK, "faces" if self.faces else "nobody in view"

    def status(self, name: str, now: float, surroundings: InputStatus) -> DiagnosticStatus:
        """Everything, in the order in which a person looks for it."""
        level, message = self.problem(now, surroundings)
        silence = "never" if self._last_input is None else f"{now - self._last_input:.1f}"
        values = {
            "image topic": self.topic,
            "faces": str(self.faces),
            "fps": f"{self.fps(now):.1f}",
            "image stamp to published [ms]": f"{self.input_age * 1e3:.1f}",
            "since last image [s]": silence,
            "frames": str(self.frames),
            "dropped frames": str(self.dropped),
            "bad frames": str(self.bad_frames),
            "last error": self.last_error,
            **{f"{stage} [ms]": f"{seconds * 1e3:.2f}" for stage, seconds in self.stage_seconds.items()},
            **self.facts,
        }
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        return DiagnosticStatus(level=level, name=name, message=message, hardware_id=self.topic, values=pairs)


def status_of(node: Node, level: bytes, message: str, topic: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """A node's status.

    Args:
        node: whose name it has.
        level: DiagnosticStatus.OK, WARN or ERROR.
        message: the sentence that a person should read first.
        topic: what the node listens to.
        values: in the order in which a person looks for them.
    """
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    name = node.get_fully_qualified_name().lstrip("/")
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id=topic, values=pairs)


class DiagnosticsPublisher:
    """Publishes a status on /diagnostics once a second, and logs its sentence when it becomes a worse or another one.

    Args:
        node: its clock stamps the messages; the pace is steady, so that a simulation that pauses is reported, too.
        status: what to say.
    """

    def __init__(self, node: Node, status: Callable[[], DiagnosticStatus | None]) -> None:
        self._node = node
        self._status = status
        self._said = ""
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publish(self) -> None:
        status = self._status()
        if status is None:
            return
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=[status]))
        if status.level == DiagnosticStatus.WARN and status.message != self._said:
            self._node.get_logger().warning(status.message)
        self._said = status.message
