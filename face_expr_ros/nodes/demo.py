"""The demo: camera, perception and the page's server as processes, watched by one more, which is this one."""

from __future__ import annotations

import os
import random
import socket
import sys
import time
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from face_expr_ros.bundle import open_bundle
from face_expr_ros.config import CameraConfig, PerceptionConfig, from_mapping
from face_expr_ros.interrupts import terminate_as_interrupt
from face_expr_ros.msg import FaceArray
from face_expr_ros.resources import resource_path
from face_expr_ros.ros.child import Child, ros_arguments
from face_expr_ros.ros.decode import decode_image
from face_expr_ros.ros.show import Show, Video, Window, has_screen
from face_expr_ros.ros.tally import Tally
from face_expr_ros.shared_memory import profile_path
from face_expr_ros.sources import device_number, is_live, open_source
from face_expr_ros.sources.video import VideoSource
from face_expr_ros.web.config import WebConfig

DEFAULT_VIDEO = Path("out/demo.mp4")
START_TIMEOUT = 60.0  # seconds that a node may take to load
ANSWER_TIMEOUT = 20.0  # seconds from the camera's start to the first FaceArray
LAST_ANSWER_TIMEOUT = 10.0  # seconds from the end of the camera, or the last FaceArray, to the answer to its last image
LINE_INTERVAL = 0.5  # seconds between two live lines on a terminal; five times that in a file
OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")  # their Fast DDS reads its profile from another variable

NO_IMAGE = (
    "no image arrived before the camera ended: `face_expr doctor` says whether images get from process to process"
)
NO_ANSWER = (
    "the camera publishes images but perception answers none of them: "
    "`face_expr doctor` says whether images get from one process to another here"
)


Watcher = TypeVar("Watcher", bound="Demo")


class DemoError(ValueError):
    """The demo cannot go on; the text says what is wrong and what to do."""


def run_demo(
    *,
    source: str = "synthetic",
    bundle: str = "open",
    headless: bool = False,
    window: bool = False,
    web: bool = False,
    seconds: float | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Run camera and perception and watch what comes out, on a page in the browser unless another way is asked for.

    Args:
        source: synthetic, device:N, a video file or a folder of images.
        bundle: face model and weights.
        headless: no page; an annotated video is written instead.
        window: no page; a window shows the annotated image.
        web: the page, too.
        seconds: from the first image; None: until Ctrl-C, the end of a file, or the window is closed.
        out: the annotated video.

    Returns:
        The keys of docs' ``./run demo --json``: frames, faces, fps, latency.

    Raises:
        DemoError: a node ended by itself, no image or no answer came, or there is no screen for a window.
        ConfigError: there is no such bundle.
        BundleError: it is not installed, or a file is damaged.
        SourceError: the source is not there or cannot be read.
    """
    from_mapping(PerceptionConfig, {"bundle": bundle})
    open_bundle(bundle)  # what is wrong with it is said here, and not by a node that ends
    if window and not has_screen():
        raise DemoError("a screen was wanted for --window and there is none: leave it out, or give --headless")
    camera = camera_overrides(source, loop=not headless or seconds is not None)
    if not is_live(source):
        _say(f"{source} is played {'again and again' if camera['loop'] else 'once'}")
    prepare_environment()
    with ExitStack() as stack:
        show = _show(headless, window, out or DEFAULT_VIDEO, camera.get("rate", CameraConfig().rate))
        if show is not None:
            stack.callback(show.close)
        page = {"bundle": bundle, "port": _free_port(WebConfig().port)} if web or not (headless or window) else None
        return watch(Demo, show, camera, {"bundle": bundle}, seconds, page).report()


def watch(
    kind: type[Watcher],
    show: Show | None,
    camera: dict[str, Any],
    perception: dict[str, Any],
    seconds: float | None,
    page: dict[str, Any] | None = None,
) -> Watcher:
    """Run the nodes with these parameters under the eyes of a ``kind`` of Demo, which has ended when it is returned.

    ``page`` are the parameters of the page's server; without them there is none.
    """
    with ExitStack() as stack:
        stack.enter_context(terminate_as_interrupt())
        stack.callback(rclpy.try_shutdown)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        demo = kind(show)
        stack.callback(demo.destroy_node)
        try:
            demo.run(camera, perception, seconds, page)
        except KeyboardInterrupt:
            pass
        finally:
            demo.stop_children()
    return demo


def camera_overrides(source: str, *, loop: bool) -> dict[str, Any]:
    """Parameters of the camera node for a source; a video keeps its own rate.

    Raises:
        SourceError: a file or folder is not there or cannot be read.
    """
    overrides: dict[str, Any] = {"source": source, "loop": loop}
    if source.startswith("device:"):
        device_number(source)
    if not is_live(source):
        opened = open_source(CameraConfig(source=source), _say)
        if isinstance(opened, VideoSource) and 1 <= opened.rate <= 240:
            overrides["rate"] = opened.rate
        opened.close()
    return overrides


class Demo(Node):
    """Starts the nodes, counts what they publish and shows the annotated image, if somebody wants to see it."""

    def __init__(self, show: Show | None) -> None:
        super().__init__("demo")
        self.tally = Tally()
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
        _say("loading the models ...")
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
            _say("")  # the live line stays above
        _say(
            f"{result['frames_in']} images, {result['frames_out']} answers, {result['frames_with_face']} with a face; "
            f"{result['fps']} fps; latency p50 {result['latency_ms']['p50']} ms, p95 {result['latency_ms']['p95']} ms; "
            f"ids {', '.join(result['ids']) or 'none'}"
        )
        if not result["frames_in"]:
            _say(NO_IMAGE)
        if result["frames_out"] and not result["frames_with_face"]:
            _say("no face was found in any image: is there a face in view, larger than a tenth of the image?")
        return result

    def _start(self, name: str, overrides: dict[str, Any]) -> Child:
        child = Child(name, *ros_arguments(name, overrides))
        self._children.append(child)
        return child

    def _open_page(self, parameters: dict[str, Any]) -> None:
        """Start the page's server, and show the page in the browser where there is a screen for one."""
        self._start("web_bridge", parameters)
        address = (WebConfig().host, parameters["port"])
        self._wait(lambda: _listens(address), START_TIMEOUT, "the page's server does not start")
        url = f"http://{address[0]}:{address[1]}/"
        _say(f"the page is at {url} (Ctrl-C ends)")
        if has_screen() and self._show is None:  # without a screen a browser would take the terminal
            webbrowser.open(url)

    def _wait(self, done: Callable[[], bool], timeout: float, complaint: str) -> None:
        """Step until ``done``; a camera that has ended in the meantime leaves nothing to wait for."""
        deadline = time.monotonic() + timeout
        while not done() and not any(child.status == 0 for child in self._children):
            if time.monotonic() > deadline:
                raise DemoError(f"{complaint} ({timeout:g} s); last words: {self._children[-1].last_words()}")
            self._step()

    def _step(self) -> None:
        """Take what has come, keep the window alive, look after the children and write the live line."""
        self._spinner.spin_once(timeout_sec=0.05)
        if self._show is not None:
            self._show.refresh()
        for child in self._children:
            if child.status not in (None, 0):
                raise DemoError(child.last_words())
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


def prepare_environment() -> None:
    """Give this process and its children a domain of their own and enough shared memory, unless the user has chosen."""
    if "ROS_DOMAIN_ID" not in os.environ:
        os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 101))
        _say(f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']} (export the same in another terminal to see the topics)")
    if profile_path(os.environ):
        return
    old = os.environ.get("ROS_DISTRO") in OLD_DISTRIBUTIONS
    variable = "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"
    os.environ[variable] = str(resource_path("config/fastdds.xml"))


def _show(headless: bool, window: bool, video: Path, rate: float) -> Show | None:
    """Who shows the annotated image; nobody where the page is enough."""
    if headless:
        _say(f"the annotated video goes to {video}")
        return Video(video, rate)
    return Window() if window else None


def _free_port(usual: int) -> int:
    """The page's usual port, or another one where that is taken."""
    host = WebConfig().host
    for port in (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise DemoError(f"a free port on {host} was wanted for the page and there is none")


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say_over(line: str) -> None:
    """The live line writes over itself on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
    else:
        _say(line)
