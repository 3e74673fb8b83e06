"""Startup and shutdown of perception nodes."""

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
from support.perception_client import FRAME_ID, SENSOR_DATA, PerceptionClient

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera

GOOD_INFO = info_from_camera(pinhole_camera(640, 480, 45.0), 640, 480, Header(frame_id=FRAME_ID))


@pytest.mark.slow
def test_compressed_images_of_a_remapped_topic_are_processed(
    graph: Any, start: Any, portrait: NDArray[np.uint8]
) -> None:
    import cv2

    process = start(
        "perception", "-r", "__ns:=/zip", "-p", "image_transport:=compressed", "-r", "image:=/cam/image_raw"
    )
    publisher = graph.node.create_publisher(CompressedImage, "/cam/image_raw/compressed", SENSOR_DATA)
    info = graph.node.create_publisher(CameraInfo, "/cam/camera_info", SENSOR_DATA)
    faces: list[FaceArray] = graph.listen(FaceArray, "/zip/faces")
    valid = array("B", cv2.imencode(".jpg", portrait)[1].tobytes())
    stamps = iter(range(1, 10**6))

    def publish() -> None:
        info.publish(GOOD_INFO)
        for data in (valid[: len(valid) // 2], valid):
            header = Header(stamp=Time(seconds=next(stamps)).to_msg(), frame_id=FRAME_ID)
            publisher.publish(CompressedImage(header=header, format="jpeg", data=data))

    graph.until(lambda: any(answer.faces and answer.faces[0].pose.metric for answer in faces), "metric faces", publish)
    assert process.stop() == 0


@pytest.mark.slow
def test_a_silent_image_topic_is_reported(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> None:
    process = start("perception", "-r", "__ns:=/silent", "-p", "input_timeout:=0.5")
    received: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def reported(message: str) -> Callable[[], bool]:
        return lambda: any(message in status.message for array in received for status in array.status)

    graph.until(reported("/silent/image has no publisher"), "the warning about the missing publisher")
    client = PerceptionClient(graph, "/silent", portrait)
    client.ask()
    graph.until(reported("nothing received on /silent/image"), "the warning about missing images")
    assert "/silent/image has no publisher" in process.output
    assert len(client.ask().faces) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_busy_node_cleanly(
    graph: Any, start: Any, portrait: NDArray[np.uint8], how: signal.Signals
) -> None:
    namespace = f"/{how.name.lower()}"
    process = start("perception", "-r", f"__ns:={namespace}")
    client = PerceptionClient(graph, namespace, portrait)
    client.ask()
    client.publish(client.image())
    assert process.stop(how) == 0, process.output
    assert "Traceback" not in process.output


def test_without_autostart_the_node_is_unconfigured(graph: Any, start: Any) -> None:
    start("perception", "-r", "__ns:=/manual", "-p", "autostart:=false")
    answer = graph.call(GetState, "/manual/perception/get_state")
    assert answer.current_state.label == "unconfigured"


BAD_STARTS = {
    "unknown key": (
        "/**/perception:\n  ros__parameters:\n    smoothing: {bta: 1.0}\n",
        "'smoothing.bta', did you mean",
    ),
    "out of bounds": ("/**/perception:\n  ros__parameters:\n    input_timeout: -1.0\n", "input_timeout"),
    "out of choices": ('/**/perception:\n  ros__parameters: {bundle: "other"}\n', "one of open, 3ddfa_v2"),
    "no model": (
        "/**/perception:\n  ros__parameters:\n    landmarks: {backend: facemesh_v2}\n",
        "landmarks.model_path: expected the path of MediaPipe's face_landmarker.task",
    ),
    "no YAML": ("/**/perception: [", "Couldn't parse params file"),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_an_invalid_parameter_file_stops_the_node_with_one_line(start: Any, tmp_path: Any, case: str) -> None:
    text, message = BAD_STARTS[case]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    process = start("perception", "-r", "__ns:=/robot", "--params-file", str(file))
    assert process.wait() == 2
    lines = [line for line in process.output.splitlines() if line.startswith("perception: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in process.output
