"""Several cameras in one process; a camera that is too fast and a subscriber that is too slow."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Frame
from face_expr_ros.nodes.perception import create_all
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.node_runner import StartError

SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
NAMESPACES = ("/front", "/rear/left")
FRAMES = 12

# Subscribes to the large topics, reports this, and never takes a message.
IDLE_SUBSCRIBER = """
import sys, time
import rclpy
from rclpy.node import Node
from face_expr_ros.msg import FaceArray
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker
rclpy.init(args=[])
node = Node("idle_subscriber")
for kind, topic in ((FaceArray, "faces"), (Marker, "mesh_markers"), (Image, "annotated")):
    node.create_subscription(kind, f"{sys.argv[1]}/{topic}", print, 10)
print("subscribed", flush=True)
sys.stdin.read()
rclpy.try_shutdown()
"""


class Feed:
    """Publishes images in one namespace and receives the results."""

    def __init__(self, graph: Any, namespace: str, picture: NDArray[np.uint8], since: int = 0) -> None:
        self._picture = picture
        self._publisher = graph.node.create_publisher(Image, f"{namespace}/image", SENSOR_DATA)
        self._frame_id = f"lens_of_{namespace.strip('/').replace('/', '_')}"
        self._stamp = since * 1_000_000_000
        self.published = 0
        self.answers: list[FaceArray] = graph.listen(FaceArray, f"{namespace}/faces")

    def publish(self) -> None:
        self._stamp += 100_000_000
        header = Header(stamp=Time(nanoseconds=self._stamp).to_msg(), frame_id=self._frame_id)
        self._publisher.publish(image_bytes(self._picture, header))
        self.published += 1

    def last_is_answered(self) -> bool:
        return bool(self.answers) and Time.from_msg(self.answers[-1].header.stamp).nanoseconds == self._stamp

    def with_faces(self) -> list[FaceArray]:
        return [answer for answer in self.answers if answer.faces]

    def has_only_own_results(self) -> bool:
        return {answer.header.frame_id for answer in self.answers} == {self._frame_id}


@pytest.fixture(scope="module")
def two_cameras(graph: Any, start: Any) -> Iterator[None]:
    """One process with a node in each namespace, which is stopped cleanly at the end."""
    # The namespace of the command line applies to all nodes of a process; the nodes' own ones take precedence.
    process = start("perception", "-r", "__ns:=/ignored", "--", "--namespaces", *NAMESPACES)
    graph.until(lambda: all(graph.node.count_subscribers(f"{name}/image") for name in NAMESPACES), "both nodes")
    yield
    assert process.stop(signal.SIGINT) == 0, process.output
    assert "Traceback" not in process.output


def test_two_cameras_in_one_process_have_separate_results(
    graph: Any, two_cameras: None, portrait: NDArray[np.uint8]
) -> None:
    empty = np.full((480, 640, 3), 90, np.uint8)
    faces, no_faces = Feed(graph, NAMESPACES[0], portrait), Feed(graph, NAMESPACES[1], empty)

    def feed() -> None:
        faces.publish()
        no_faces.publish()

    graph.until(lambda: len(faces.with_faces()) >= 5 and len(no_faces.answers) >= 5, "results of both cameras", feed)
    assert faces.has_only_own_results()
    assert no_faces.has_only_own_results()
    assert not no_faces.with_faces()
    assert len({face.face_id for answer in faces.with_faces() for face in answer.faces}) == 1


def test_only_the_latest_image_of_a_fast_camera_is_processed(
    graph: Any, two_cameras: None, portrait: NDArray[np.uint8]
) -> None:
    feed = Feed(graph, NAMESPACES[0], portrait, since=1000)
    diagnostics: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def dropped() -> int:
        name = f"{NAMESPACES[0].strip('/')}/perception"
        own = [status for message in diagnostics for status in message.status if status.name == name]
        return max(
            (int(pair.value) for status in own for pair in status.values if pair.key == "dropped frames"), default=0
        )

    def flood() -> None:
        for _ in range(5):
            feed.publish()

    graph.until(lambda: dropped() > 0, "the count of dropped images", flood)
    graph.until(feed.last_is_answered, "the result of the last image")
    stamps = [answer.header.stamp.sec * 10**9 + answer.header.stamp.nanosec for answer in feed.answers]
    stamps = [stamp for stamp in stamps if stamp > 1000 * 10**9]  # without results of other tests
    assert stamps == sorted(set(stamps)), "in order and at most once"
    assert len(stamps) < feed.published


@pytest.mark.parametrize(
    ("namespaces", "message"),
    [
        (["front"], "expected a namespace such as /front, got 'front'"),
        (["/front", "/re ar"], "expected a namespace such as /front, got '/re ar'"),
        (["/front", "/rear", "/front"], "expected a different namespace for each camera, got '/front' twice"),
    ],
)
def test_invalid_namespaces_are_rejected_with_one_line(namespaces: list[str], message: str) -> None:
    with pytest.raises(StartError, match=message) as caught:
        create_all(namespaces)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_pipelines_in_two_threads_do_not_affect_each_other(portrait: NDArray[np.uint8]) -> None:
    clips = [[shifted(portrait, direction * number) for number in range(FRAMES)] for direction in (-4, 4)]
    alone = [run_pipeline(clip) for clip in clips]
    together: list[Any] = [None, None]

    def run(index: int) -> None:
        together[index] = run_pipeline(clips[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def shifted(picture: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.roll(picture, pixels, axis=1))


def run_pipeline(clip: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(frames, 3 + 52): position and blendshapes of the only face of each frame."""
    pipeline = Pipeline(PerceptionConfig())
    camera = default_camera(640, 480, 63.0)
    rows = []
    for number, image in enumerate(clip):
        (face,) = pipeline(Frame(image, round(number * 1e9 / 30), "lens", camera))
        rows.append(np.concatenate([face.fit.pose.position, face.blendshapes.values]))
    pipeline.close()
    return np.array(rows)


@pytest.fixture
def idle_subscriber() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", IDLE_SUBSCRIBER, "/busy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_a_stopped_subscriber_does_not_delay_others(
    graph: Any, start: Any, portrait: NDArray[np.uint8], idle_subscriber: subprocess.Popen[str]
) -> None:
    process = start("perception", "-r", "__ns:=/busy")
    feed = Feed(graph, "/busy", portrait)
    assert idle_subscriber.stdout is not None
    assert idle_subscriber.stdout.readline() == "subscribed\n"
    graph.until(lambda: graph.node.count_subscribers("/busy/mesh_markers"), "the subscriber")
    graph.until(feed.with_faces, "a result", feed.publish)
    idle_subscriber.send_signal(signal.SIGSTOP)  # it no longer acknowledges messages
    before = len(feed.answers)
    # More than the depth of any queue, so that a node that waits for the subscriber would block.
    graph.until(lambda: len(feed.answers) >= before + 30, "thirty more results", feed.publish)
    assert process.stop(signal.SIGINT) == 0, process.output
