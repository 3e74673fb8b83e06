"""Several cameras in one process, and what a camera that is too fast or a listener that is too slow does: nothing."""

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

# Subscribes to everything large, says so, and then never takes a message.
SLEEPER = """
import sys, time
import rclpy
from rclpy.node import Node
from face_expr_ros.msg import FaceArray
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker
rclpy.init(args=[])
node = Node("sleeper")
for kind, topic in ((FaceArray, "faces"), (Marker, "mesh_markers"), (Image, "annotated")):
    node.create_subscription(kind, f"{sys.argv[1]}/{topic}", print, 10)
print("subscribed", flush=True)
sys.stdin.read()
rclpy.try_shutdown()
"""


class Feed:
    """Images for one namespace, and the answers that came."""

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

    def is_its_own(self) -> bool:
        return {answer.header.frame_id for answer in self.answers} == {self._frame_id}


@pytest.fixture(scope="module")
def two_cameras(graph: Any, start: Any) -> Iterator[None]:
    """One process that serves both namespaces; it ends cleanly."""
    # The namespace of the command line is that of all nodes of a process: each one's own comes first.
    process = start("perception", "-r", "__ns:=/ignored", "--", "--namespaces", *NAMESPACES)
    graph.until(lambda: all(graph.node.count_subscribers(f"{name}/image") for name in NAMESPACES), "both nodes")
    yield
    assert process.stop(signal.SIGINT) == 0, process.output
    assert "Traceback" not in process.output


def test_one_process_serves_two_cameras_and_keeps_them_apart(
    graph: Any, two_cameras: None, portrait: NDArray[np.uint8]
) -> None:
    empty = np.full((480, 640, 3), 90, np.uint8)
    faces, nobody = Feed(graph, NAMESPACES[0], portrait), Feed(graph, NAMESPACES[1], empty)

    def feed() -> None:
        faces.publish()
        nobody.publish()

    graph.until(lambda: len(faces.with_faces()) >= 5 and len(nobody.answers) >= 5, "answers to both cameras", feed)
    assert faces.is_its_own()
    assert nobody.is_its_own()
    assert not nobody.with_faces()
    assert {face.face_id for answer in faces.with_faces() for face in answer.faces} == {"f1"}


def test_of_a_camera_that_is_too_fast_the_newest_image_wins_and_the_others_are_counted(
    graph: Any, two_cameras: None, portrait: NDArray[np.uint8]
) -> None:
    feed = Feed(graph, NAMESPACES[0], portrait, since=1000)
    said: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def dropped() -> int:
        name = f"{NAMESPACES[0].strip('/')}/perception"
        mine = [status for message in said for status in message.status if status.name == name]
        return max(
            (int(pair.value) for status in mine for pair in status.values if pair.key == "dropped frames"), default=0
        )

    def flood() -> None:
        for _ in range(5):
            feed.publish()

    graph.until(lambda: dropped() > 0, "a count of images that were left out", flood)
    graph.until(feed.last_is_answered, "the answer to the last image")
    stamps = [answer.header.stamp.sec * 10**9 + answer.header.stamp.nanosec for answer in feed.answers]
    stamps = [stamp for stamp in stamps if stamp > 1000 * 10**9]  # without an image of the test before
    assert stamps == sorted(set(stamps)), "in order, each at most once"
    assert len(stamps) < feed.published


@pytest.mark.parametrize(
    ("namespaces", "words"),
    [
        (["front"], "a namespace such as /front was wanted, 'front' was given"),
        (["/front", "/re ar"], "a namespace such as /front was wanted, '/re ar' was given"),
        (["/front", "/rear", "/front"], "a namespace for each camera was wanted, '/front' was given twice"),
    ],
)
def test_namespaces_that_cannot_be_stop_the_process_with_a_sentence(namespaces: list[str], words: str) -> None:
    with pytest.raises(StartError, match=words) as caught:
        create_all(namespaces)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_two_pipelines_in_two_threads_see_what_each_sees_alone(portrait: NDArray[np.uint8]) -> None:
    films = [[shifted(portrait, direction * number) for number in range(FRAMES)] for direction in (-4, 4)]
    alone = [see(film) for film in films]
    together: list[Any] = [None, None]

    def watch(place: int) -> None:
        together[place] = see(films[place])

    threads = [threading.Thread(target=watch, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def shifted(picture: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.roll(picture, pixels, axis=1))


def see(film: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(frames, 3 + 52): position and blendshapes of the only face of each frame."""
    pipeline = Pipeline(PerceptionConfig())
    camera = default_camera(640, 480, 63.0)
    rows = []
    for number, image in enumerate(film):
        (face,) = pipeline(Frame(image, round(number * 1e9 / 30), "lens", camera))
        rows.append(np.concatenate([face.fit.pose.position, face.blendshapes.values]))
    pipeline.close()
    return np.array(rows)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "/busy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_a_listener_that_takes_nothing_delays_nobody(
    graph: Any, start: Any, portrait: NDArray[np.uint8], sleeper: subprocess.Popen[str]
) -> None:
    process = start("perception", "-r", "__ns:=/busy")
    feed = Feed(graph, "/busy", portrait)
    assert sleeper.stdout is not None
    assert sleeper.stdout.readline() == "subscribed\n"
    graph.until(lambda: graph.node.count_subscribers("/busy/mesh_markers"), "the listener")
    graph.until(feed.with_faces, "an answer", feed.publish)
    sleeper.send_signal(signal.SIGSTOP)  # it does not even acknowledge any more
    before = len(feed.answers)
    # More than any queue holds, so that a node that waits for the sleeper would stand still.
    graph.until(lambda: len(feed.answers) >= before + 30, "thirty more answers", feed.publish)
    assert process.stop(signal.SIGINT) == 0, process.output
