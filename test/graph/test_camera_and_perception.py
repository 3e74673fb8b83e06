"""Camera and perception as two processes, with a subscriber in a third one."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from face_expr_ros.serialization.image_decoding import decode_image

SENSOR_DATA = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
SMALL = ("-p", "width:=640", "-p", "height:=480", "-p", "rate:=15.0")
MAX_ANGLE = math.radians(8)  # median error
MAX_DISTANCE = 0.2  # median relative error, for a head of unknown size


def stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec


def test_the_result_for_a_synthetic_face_matches_the_ground_truth(graph: Any, start: Any) -> None:
    perception = start("perception", "-r", "__ns:=/live")
    camera = start("camera", "-r", "__ns:=/live", "-p", "frame_id:=lens", *SMALL)
    answers: list[FaceArray] = graph.listen(FaceArray, "/live/faces")
    truths: list[FaceArray] = graph.listen(FaceArray, "/live/ground_truth", SENSOR_DATA)

    def pairs() -> list[tuple[Any, Any]]:
        true = {stamp(truth.header): truth.faces[0] for truth in truths}
        matched = [answer for answer in answers if answer.faces and stamp(answer.header) in true]
        return [(answer.faces[0], true[stamp(answer.header)]) for answer in matched if answer.faces[0].pose.metric]

    graph.until(lambda: len(pairs()) >= 40, "forty metric results with ground truth")
    assert all(answer.header.frame_id == "lens" for answer in answers)
    assert len({face.face_id for face, _ in pairs()}) == 1
    errors = np.array([[face.pose.yaw - true.pose.yaw, face.pose.pitch - true.pose.pitch] for face, true in pairs()])
    assert np.median(np.abs(errors), axis=0).max() < MAX_ANGLE
    distances = np.array([[face.pose.pose.position.z, true.pose.pose.position.z] for face, true in pairs()])
    assert np.median(np.abs(distances[:, 0] / distances[:, 1] - 1)) < MAX_DISTANCE
    face, true = pairs()[-1]
    assert (
        np.corrcoef(np.array(face.landmarks).reshape(-1, 3)[:, 0], np.array(true.landmarks).reshape(-1, 3)[:, 0])[0, 1]
        > 0.9
    )
    assert true.expression.blendshape_names == face.expression.blendshape_names
    assert camera.stop(signal.SIGTERM) == 0, camera.output
    assert perception.stop(signal.SIGINT) == 0, perception.output


@pytest.mark.slow
def test_image_camera_info_and_ground_truth_have_the_same_header(graph: Any, start: Any) -> None:
    camera = start("camera", "-r", "__ns:=/twin", "-p", "faces:=2", *SMALL)
    images: list[Image] = graph.listen(Image, "/twin/image", SENSOR_DATA)
    infos: list[CameraInfo] = graph.listen(CameraInfo, "/twin/camera_info", SENSOR_DATA)
    truths: list[FaceArray] = graph.listen(FaceArray, "/twin/ground_truth", SENSOR_DATA)

    def common() -> set[tuple[int, int]]:
        return set.intersection(*({stamp(m.header) for m in messages} for messages in (images, infos, truths)))

    graph.until(lambda: len(common()) >= 3, "three images with CameraInfo and ground truth")
    assert (infos[0].width, infos[0].height) == (images[0].width, images[0].height) == (640, 480)
    assert infos[0].k[0] == pytest.approx(240 / math.tan(math.radians(22.5)))
    assert [face.face_id for face in truths[0].faces] == ["t1", "t2"]
    assert decode_image(images[0]).std() > 5
    assert camera.stop() == 0, camera.output


@pytest.fixture
def clip(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    """Forty frames of a person that moves sideways."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (640, 480))
    for shift in range(40):
        writer.write(np.roll(portrait, shift, axis=1))
    writer.release()
    return path


def test_the_camera_exits_with_success_after_a_video(graph: Any, start: Any, clip: Path) -> None:
    infos: list[CameraInfo] = graph.listen(CameraInfo, "/film/camera_info", SENSOR_DATA)
    images: list[Image] = graph.listen(Image, "/film/image", SENSOR_DATA)
    camera = start("camera", "-r", "__ns:=/film", "-p", f"source:={clip}", "-p", "loop:=false", "-p", "rate:=20.0")
    graph.until(lambda: not camera.running, "the end of the video")
    assert camera.wait() == 0, camera.output
    assert "has ended" in camera.output
    assert images
    assert not np.any(infos[0].k), "an unknown camera is uncalibrated"
    times = np.array([message.header.stamp.sec + message.header.stamp.nanosec / 1e9 for message in images])
    # The first image may be late by up to a period; there is no burst of images to catch up.
    assert times[-1] - times[0] > (len(times) - 2) / 20


BAD_CAMERAS = {
    "device": ("source:=device:987", "camera: device:987 cannot be opened"),
    "file": ("source:=/nowhere/film.mp4", "there is no file '/nowhere/film.mp4'"),
    "film": (f"source:={__file__}", "cannot be read as a video: it is damaged"),
    "size": ("width:=0", "camera: width: expected an integer from 16 to 7680 (pixels), got 0"),
    "key": ("sauce:=synthetic", "camera: unknown setting 'sauce', did you mean source?"),
    "rate": ("rate:=0.0", "camera: rate: expected a number from 0.1 to 240 (Hz), got 0.0"),
}


@pytest.mark.parametrize("case", BAD_CAMERAS)
def test_an_invalid_configuration_stops_the_camera_with_a_message(start: Any, case: str) -> None:
    argument, message = BAD_CAMERAS[case]
    camera = start("camera", "-r", "__ns:=/bad", "-p", argument)
    assert camera.wait() == 2
    assert message in camera.output
    assert "Traceback" not in camera.output
