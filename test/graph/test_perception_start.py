"""Perception nodes started in several ways, and how they end."""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from face_expr_ros.msg import FaceArray
from lifecycle_msgs.srv import GetState
from numpy.typing import NDArray
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header
from support.perception_dialog import FRAME_ID, SENSOR_DATA, Dialog

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera

GOOD_INFO = info_from_camera(pinhole_camera(640, 480, 45.0), 640, 480, Header(frame_id=FRAME_ID))


@pytest.mark.slow
def test_compressed_images_and_a_remapped_topic_are_understood(
    graph: Any, start: Any, portrait: NDArray[np.uint8]
) -> None:
    import cv2

    process = start(
        "perception", "-r", "__ns:=/zip", "-p", "image_transport:=compressed", "-r", "image:=/cam/image_raw"
    )
    publisher = graph.node.create_publisher(CompressedImage, "/cam/image_raw/compressed", SENSOR_DATA)
    info = graph.node.create_publisher(CameraInfo, "/cam/camera_info", SENSOR_DATA)
    faces: list[FaceArray] = graph.listen(FaceArray, "/zip/faces")
    good = array("B", cv2.imencode(".jpg", portrait)[1].tobytes())
    stamps = iter(range(1, 10**6))

    def publish() -> None:
        info.publish(GOOD_INFO)
        for data in (good[: len(good) // 2], good):
            header = Header(stamp=Time(seconds=next(stamps)).to_msg(), frame_id=FRAME_ID)
            publisher.publish(CompressedImage(header=header, format="jpeg", data=data))

    graph.until(lambda: any(answer.faces and answer.faces[0].pose.metric for answer in faces), "metric faces", publish)
    assert process.stop() == 0


@pytest.mark.slow
def test_a_silent_topic_is_reported_by_its_name(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> None:
    process = start("perception", "-r", "__ns:=/silent", "-p", "input_timeout:=0.5")
    received: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def said(words: str) -> Callable[[], bool]:
        return lambda: any(words in status.message for message in received for status in message.status)

    graph.until(said("nobody publishes /silent/image"), "the report that nobody publishes")
    dialog = Dialog(graph, "/silent", portrait)
    dialog.ask()
    graph.until(said("the image topic /silent/image has stopped"), "the report that the topic has stopped")
    assert "nobody publishes /silent/image" in process.output
    assert len(dialog.ask().faces) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly_while_it_works(
    graph: Any, start: Any, portrait: NDArray[np.uint8], how: signal.Signals
) -> None:
    namespace = f"/{how.name.lower()}"
    process = start("perception", "-r", f"__ns:={namespace}")
    dialog = Dialog(graph, namespace, portrait)
    dialog.ask()
    dialog.say(dialog.image())
    assert process.stop(how) == 0, process.output
    assert "Traceback" not in process.output


def test_without_autostart_the_node_waits_for_a_manager(graph: Any, start: Any) -> None:
    start("perception", "-r", "__ns:=/manual", "-p", "autostart:=false")
    answer = graph.call(GetState, "/manual/perception/get_state")
    assert answer.current_state.label == "unconfigured"


BAD_STARTS = {
    "unknown key": (
        "/**/perception:\n  ros__parameters:\n    smoothing: {bta: 1.0}\n",
        "'smoothing.bta', did you mean",
    ),
    "out of bounds": ("/**/perception:\n  ros__parameters:\n    input_timeout: -1.0\n", "input_timeout must be"),
    "out of choices": ('/**/perception:\n  ros__parameters: {bundle: "other"}\n', "must be one of open, 3ddfa_v2"),
    "no model": (
        "/**/perception:\n  ros__parameters:\n    landmarks: {backend: mediapipe_tasks}\n",
        "landmarks.model_path: expected the path of MediaPipe's face_landmarker.task",
    ),
    "no YAML": ("/**/perception: [", "Couldn't parse params file"),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_a_bad_parameter_file_stops_the_node_with_one_sentence(start: Any, tmp_path: Any, case: str) -> None:
    text, words = BAD_STARTS[case]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    process = start("perception", "-r", "__ns:=/robot", "--params-file", str(file))
    assert process.wait() == 2
    sentences = [line for line in process.output.splitlines() if line.startswith("perception: ")]
    assert len(sentences) == 1
    assert words in sentences[0]
    assert "Traceback" not in process.output
