"""Client of a perception node: publishes images and receives results and diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from face_expr_ros.ros.encode import image_bytes

FRAME_ID = "test_optical_frame"
SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class PerceptionClient:
    """Publishes images to one perception node and receives its results.

    Args:
        graph: the node of the test.
        namespace: namespace of the perception node.
        picture: (height, width, 3) BGR, the default content of the images.

    Attributes:
        answers: all received FaceArrays.
        diagnostics: messages on /diagnostics since the last call of `status`.
    """

    def __init__(self, graph: Any, namespace: str, picture: NDArray[np.uint8]) -> None:
        self.graph = graph
        self.namespace = namespace
        self.picture = picture
        self._stamp = 1_000_000_000
        self._image = graph.node.create_publisher(Image, f"{namespace}/image", SENSOR_DATA)
        self._info = graph.node.create_publisher(CameraInfo, f"{namespace}/camera_info", SENSOR_DATA)
        self.answers: list[FaceArray] = self.listen(FaceArray, "faces")
        self.diagnostics: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def listen(self, kind: type[Any], topic: str, qos: Any = 10) -> list[Any]:
        return self.graph.listen(kind, f"{self.namespace}/{topic}", qos)

    def image(self, stamp: int | None = None, picture: NDArray[np.uint8] | None = None, **changes: Any) -> Image:
        """An image 100 ms after the last one, or at ``stamp`` nanoseconds, with changed fields."""
        self._stamp = self._stamp + 100_000_000 if stamp is None else stamp
        header = Header(stamp=Time(nanoseconds=self._stamp).to_msg(), frame_id=FRAME_ID)
        message = deserialize_message(image_bytes(self.picture if picture is None else picture, header), Image)
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def publish(self, message: Image) -> None:
        self._image.publish(message)

    def ask(self, message: Image | None = None) -> FaceArray:
        """The result of an image, which is published repeatedly, because best effort may lose it."""
        message = message or self.image()
        before = len(self.answers)

        def answered() -> bool:
            return any(answer.header.stamp == message.header.stamp for answer in self.answers[before:])

        self.graph.until(answered, f"the result of an image of {self.namespace}", each=lambda: self.publish(message))
        return next(answer for answer in self.answers[before:] if answer.header.stamp == message.header.stamp)

    def ask_until(
        self, accept: Callable[[FaceArray], bool], what: str, each: Callable[[], Any] = lambda: None
    ) -> FaceArray:
        """The first result that is accepted, with a new image for each attempt."""
        for _ in range(200):
            each()
            if accept(answer := self.ask()):
                return answer
        raise AssertionError(f"expected a result {what}, got none")

    def send_info(self, info: CameraInfo, metric: bool) -> FaceArray:
        """The first result that uses this CameraInfo."""
        return self.ask_until(
            lambda answer: bool(answer.faces) and answer.faces[0].pose.metric == metric,
            f"with metric {metric}",
            each=lambda: self._info.publish(info),
        )

    def status(self, accept: Callable[[DiagnosticStatus], bool], what: str, each: Any = None) -> DiagnosticStatus:
        """The first status from now on that is accepted."""
        self.diagnostics.clear()
        name = f"{self.namespace}/perception".lstrip("/")

        def found() -> list[DiagnosticStatus]:
            own = [status for message in self.diagnostics for status in message.status if status.name == name]
            return [status for status in own if accept(status)]

        self.graph.until(found, what, each)
        return found()[0]


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}
