"""The demo's monitor node: starts the other nodes, collects statistics and detects the end of the demo."""

from __future__ import annotations

import socket
import sys
import time
import webbrowser
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child, node_arguments
from face_expr_ros.ros.demo_statistics import DemoStatistics
from face_expr_ros.ros.display import ImageSink, has_display
from face_expr_ros.ros.stamps import stamp_ns
from face_expr_ros.serialization.image_decoding import decode_image
from face_expr_ros.web.config import WebConfig

START_TIMEOUT = 60.0  # seconds for loading a node
RESULT_TIMEOUT = 20.0  # seconds from the camera's start to the first FaceArray
LAST_RESULT_TIMEOUT = 10.0  # seconds from the exit of the camera, or the last FaceArray, to the last image's FaceArray
STATUS_INTERVAL = 0.5  # seconds between status lines on a terminal; five times that in a file

NO_IMAGE = "no image was received before the camera exited: check image transport with `face_expr doctor`"
NO_RESULT = "the camera publishes images but perception no results: check image transport with `face_expr doctor`"


class DemoError(ValueError):
    """The demo failed; the text describes the reason and what to do."""


class DemoMonitor(Node):
    """Starts the nodes, collects statistics of their messages and passes the annotated image to ``sink``."""

    def __init__(self, sink: ImageSink | None) -> None:
        super().__init__("demo")
        self.statistics = DemoStatistics()
        self._sink = sink
        self._children: list[Child] = []
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._next_status = 0.0
        self._camera_exit: float | None = None  # time of the camera's exit, monotonic seconds
        sensor_data = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "camera_info", self._on_camera_info, sensor_data)
        self.create_subscription(FaceArray, "faces", self._on_faces, 10)
        if sink is not None:
            self.create_subscription(Image, "annotated", self._on_annotated, 2)

    def run(
        self,
        camera: dict[str, Any],
        perception: dict[str, Any],
        seconds: float | None,
        page: dict[str, Any] | None = None,
    ) -> None:
        """Start perception, the optional web server and the camera, and monitor them until the end.

        Raises:
            DemoError: a node exits unexpectedly, or no image or no result is received.
        """
        print_status("loading the models ...")
        self._start("perception", perception)
        self._wait(
            lambda: self.count_subscribers("image") > 0, START_TIMEOUT, "perception does not subscribe to images"
        )
        if page is not None:
            self._open_page(page)
        camera_process = self._start("camera", camera)
        self._wait(lambda: bool(self.statistics.images), START_TIMEOUT, "the camera publishes no images")
        self._wait(lambda: bool(self.statistics.arrivals), RESULT_TIMEOUT, NO_RESULT)
        end = time.monotonic() + (float("inf") if seconds is None else seconds)
        while time.monotonic() < end and not self._is_finished(camera_process):
            self._step()

    def stop_children(self) -> None:
        """Stop the nodes, the camera first, so that perception does not warn about missing images."""
        for child in reversed(self._children):
            child.close()
        self._children = []

    def report(self) -> dict[str, Any]:
        """The summary, which is also printed to stderr."""
        result = self.statistics.summary()
        if sys.stderr.isatty():
            print_status("")  # keeps the status line
        print_status(
            f"{result['frames_in']} images, {result['frames_out']} results, {result['frames_with_face']} with a face; "
            f"{result['fps']} fps; latency p50 {result['latency_ms']['p50']} ms, p95 {result['latency_ms']['p95']} ms; "
            f"ids {', '.join(result['ids']) or 'none'}"
        )
        if not result["frames_in"]:
            print_status(NO_IMAGE)
        if result["frames_out"] and not result["frames_with_face"]:
            print_status("no face was detected in any image: faces must be larger than a thirtieth of the image")
        return result

    def _start(self, name: str, overrides: dict[str, Any]) -> Child:
        child = Child(f"nodes.{name}", *node_arguments(name, overrides))
        self._children.append(child)
        return child

    def _open_page(self, parameters: dict[str, Any]) -> None:
        """Start the web server, and open the page in a browser if there is a display."""
        self._start("web_bridge", parameters)
        address = (WebConfig().host, parameters["port"])
        self._wait(lambda: is_listening(address), START_TIMEOUT, "the web server does not start")
        url = f"http://{address[0]}:{address[1]}/"
        print_status(f"serving the page at {url} (Ctrl-C quits)")
        if has_display() and self._sink is None:  # without a display a text browser would use the terminal
            webbrowser.open(url)

    def _wait(self, done: Callable[[], bool], timeout: float, failure: str) -> None:
        """Step until ``done`` or until a node exits with success, as the camera does at the end of a file."""
        deadline = time.monotonic() + timeout
        while not done() and not any(child.status == 0 for child in self._children):
            if time.monotonic() > deadline:
                child = self._children[-1]
                raise DemoError(f"{failure} ({timeout:g} s); last output of {child.name}: {child.last_stderr_line()}")
            self._step()

    def _step(self) -> None:
        """Process messages and window events, check the nodes and update the status line."""
        self._spinner.spin_once(timeout_sec=0.05)
        if self._sink is not None:
            self._sink.refresh()
        for child in self._children:
            if child.status not in (None, 0):
                raise DemoError(child.last_stderr_line())
        now = time.monotonic()
        if self.statistics.images and now >= self._next_status:
            self._next_status = now + STATUS_INTERVAL * (1 if sys.stderr.isatty() else 5)
            _print_status_line(self.statistics.status_line(now))

    def _is_finished(self, camera: Child) -> bool:
        """Whether the user has closed the window, or the camera has exited and its last image has a result."""
        if self._sink is not None and self._sink.closed:
            return True
        if camera.status is None:
            return False
        now = time.monotonic()
        self._camera_exit = self._camera_exit or now
        since = max([self._camera_exit, *self.statistics.arrivals[-1:]])
        return self.statistics.last_is_answered() or now - since > LAST_RESULT_TIMEOUT

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.statistics.images.add(stamp_ns(message.header.stamp))

    def _on_faces(self, message: FaceArray) -> None:
        stamp = stamp_ns(message.header.stamp)
        latency = (self.get_clock().now().nanoseconds - stamp) / 1e9
        ids = [face.face_id for face in message.faces]
        self.statistics.add(time.monotonic(), stamp, latency, ids)

    def _on_annotated(self, message: Image) -> None:
        assert self._sink is not None
        self._sink(decode_image(message), stamp_ns(message.header.stamp) / 1e9)


def is_listening(address: tuple[str, int]) -> bool:
    """Whether a server accepts connections at a host and port."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def print_status(text: str) -> None:
    """Print to stderr; stdout is reserved for results."""
    print(text, file=sys.stderr, flush=True)


def _print_status_line(line: str) -> None:
    """Print a line that replaces the previous one on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
    else:
        print_status(line)
