"""The demo's own node: starts the others, counts what they publish and sees when they have ended."""

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
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child, ros_arguments
from face_expr_ros.ros.demo_statistics import DemoStatistics
from face_expr_ros.ros.display import Show, has_screen
from face_expr_ros.serialization.image_decoding import decode_image
from face_expr_ros.web.config import WebConfig

START_TIMEOUT = 60.0  # seconds that a node may take to load
ANSWER_TIMEOUT = 20.0  # seconds from the camera's start to the first FaceArray
LAST_ANSWER_TIMEOUT = 10.0  # seconds from the end of the camera, or the last FaceArray, to the answer to its last image
LINE_INTERVAL = 0.5  # seconds between two live lines on a terminal; five times that in a file

NO_IMAGE = (
    "no image arrived before the camera ended: `face_expr doctor` says whether images get from process to process"
)
NO_ANSWER = (
    "the camera publishes images but perception answers none of them: "
    "`face_expr doctor` says whether images get from one process to another here"
)


class DemoError(ValueError):
    """The demo cannot go on; the text says what is wrong and what to do."""


class Demo(Node):
    """Starts the nodes, counts what they publish and shows the annotated image, if somebody wants to see it."""

    def __init__(self, show: Show | None) -> None:
        super().__init__("demo")
        self.tally = DemoStatistics()
        self._show = show
        self._children: list[Child] = []
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._next_line = 0.0
        self._ended: float | None = None  # when the camera was first seen to have ended, monotonic seconds
        sensor_data = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "camera_info", self._on_camera_info, sensor_data)
        self.create_subscription(FaceArray, "faces", self._on_faces, 10)
        if show is not None:
            self.create_subscription(Image, "annotated", self._on_annotated, 2)

    def run(
        self,
        camera: dict[str, Any],
        perception: dict[str, Any],
        seconds: float | None,
        page: dict[str, Any] | None = None,
    ) -> None:
        """Start perception, the page where it is wanted, then the camera, and watch until the end.

        Raises:
            DemoError: a node ended by itself, or no image or no answer came.
        """
        say("loading the models ...")
        self._start("perception", perception)
        self._wait(
            lambda: self.count_subscribers("image") > 0, START_TIMEOUT, "perception does not subscribe to images"
        )
        if page is not None:
            self._open_page(page)
        feeder = self._start("camera", camera)
        self._wait(lambda: bool(self.tally.images), START_TIMEOUT, "the camera gives no images")
        self._wait(lambda: bool(self.tally.arrivals), ANSWER_TIMEOUT, NO_ANSWER)
        end = time.monotonic() + (float("inf") if seconds is None else seconds)
        while time.monotonic() < end and not (self._show and self._show.closed) and not self._drained(feeder):
            self._step()

    def stop_children(self) -> None:
        """End the camera first, so that perception is not left without images."""
        for child in reversed(self._children):
            child.close()
        self._children = []

    def report(self) -> dict[str, Any]:
        """The summary, also in words on stderr."""
        result = self.tally.summary()
        if sys.stderr.isatty():
            say("")  # the live line stays above
        say(
            f"{result['frames_in']} images, {result['frames_out']} answers, {result['frames_with_face']} with a face; "
            f"{result['fps']} fps; latency p50 {result['latency_ms']['p50']} ms, p95 {result['latency_ms']['p95']} ms; "
            f"ids {', '.join(result['ids']) or 'none'}"
        )
        if not result["frames_in"]:
            say(NO_IMAGE)
        if result["frames_out"] and not result["frames_with_face"]:
            say("no face was found in any image: is there a face in view, larger than a thirtieth of the image?")
        return result

    def _start(self, name: str, overrides: dict[str, Any]) -> Child:
        child = Child(name, *ros_arguments(name, overrides))
        self._children.append(child)
        return child

    def _open_page(self, parameters: dict[str, Any]) -> None:
        """Start the page's server, and show the page in the browser where there is a screen for one."""
        self._start("web_bridge", parameters)
        address = (WebConfig().host, parameters["port"])
        self._wait(lambda: listens(address), START_TIMEOUT, "the page's server does not start")
        url = f"http://{address[0]}:{address[1]}/"
        say(f"the page is at {url} (Ctrl-C ends)")
        if has_screen() and self._show is None:  # without a screen a browser would take the terminal
            webbrowser.open(url)

    def _wait(self, done: Callable[[], bool], timeout: float, complaint: str) -> None:
        """Step until ``done``; a camera that has ended in the meantime leaves nothing to wait for."""
        deadline = time.monotonic() + timeout
        while not done() and not any(child.status == 0 for child in self._children):
            if time.monotonic() > deadline:
                raise DemoError(f"{complaint} ({timeout:g} s); last words: {self._children[-1].last_stderr_line()}")
            self._step()

    def _step(self) -> None:
        """Take what has come, keep the window alive, look after the children and write the live line."""
        self._spinner.spin_once(timeout_sec=0.05)
        if self._show is not None:
            self._show.refresh()
        for child in self._children:
            if child.status not in (None, 0):
                raise DemoError(child.last_stderr_line())
        now = time.monotonic()
        if self.tally.images and now >= self._next_line:
            self._next_line = now + LINE_INTERVAL * (1 if sys.stderr.isatty() else 5)
            _say_over(self.tally.line(now))

    def _drained(self, feeder: Child) -> bool:
        """The camera has ended and the answer to its last image has come: perception answers the newest one, always."""
        if feeder.status is None:
            return False
        now = time.monotonic()
        self._ended = self._ended or now
        since = max([self._ended, *self.tally.arrivals[-1:]])
        return self.tally.last_is_answered() or now - since > LAST_ANSWER_TIMEOUT

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.tally.images.add(Time.from_msg(message.header.stamp).nanoseconds)

    def _on_faces(self, message: FaceArray) -> None:
        stamp = Time.from_msg(message.header.stamp)
        latency = (self.get_clock().now() - stamp).nanoseconds / 1e9
        self.tally.add(time.monotonic(), stamp.nanoseconds, latency, [face.face_id for face in message.faces])

    def _on_annotated(self, message: Image) -> None:
        assert self._show is not None
        self._show(decode_image(message), Time.from_msg(message.header.stamp).nanoseconds / 1e9)


def listens(address: tuple[str, int]) -> bool:
    """Whether somebody accepts connections at a host and port."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def say(text: str) -> None:
    """Tell the user; results alone go to stdout."""
    print(text, file=sys.stderr, flush=True)


def _say_over(line: str) -> None:
    """The live line writes over itself on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
    else:
        say(line)
