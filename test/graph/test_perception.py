"""The perception node as a process: results for images."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from face_expr_ros.msg import FaceExpression, FaceModel, FacePose, FaceShape
from numpy.typing import NDArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from support.perception_client import FRAME_ID, PerceptionClient, values
from visualization_msgs.msg import Marker

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GOOD_INFO = info_from_camera(pinhole_camera(640, 480, 45.0), 640, 480, Header(frame_id=FRAME_ID))
BAD_INFO = CameraInfo(width=640, height=480, distortion_model="plumb_bob", k=[math.nan] * 9, d=[0.0] * 5)


@pytest.fixture(scope="module")
def client(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> PerceptionClient:
    """One node for all tests of this module, which has already processed an image without CameraInfo."""
    start("perception", "-r", "__ns:=/main")
    result = PerceptionClient(graph, "/main", portrait)
    result.ask()
    return result


def test_a_face_is_published_with_the_header_of_its_image(client: PerceptionClient) -> None:
    image = client.image()
    answer = client.ask(image)
    (face,) = answer.faces
    assert answer.header == image.header
    assert face.pose.header == face.shape.header == face.expression.header == image.header
    assert len(face.landmarks) == 478 * 3
    assert len(face.expression.blendshapes) == len(face.expression.blendshape_names) == 52
    assert abs(face.pose.yaw) < math.radians(5)
    assert 200 < face.roi.x_offset + face.roi.width / 2 < 440


def test_an_image_without_a_face_has_an_empty_result(client: PerceptionClient) -> None:
    answer = client.ask(client.image(picture=np.full((480, 640, 3), 90, np.uint8)))
    assert not answer.faces


@pytest.mark.parametrize(
    ("encoding", "convert"),
    [
        ("rgb8", lambda bgr: bgr[:, :, ::-1]),
        ("mono8", lambda bgr: bgr[:, :, 1]),
        ("bgra8", lambda bgr: np.dstack([bgr, bgr[:, :, :1]])),
    ],
)
def test_a_face_is_detected_in_other_encodings(client: PerceptionClient, encoding: str, convert: Any) -> None:
    rows = np.ascontiguousarray(convert(client.picture))
    data = array("B", rows.tobytes())
    image = client.image(encoding=encoding, step=rows.strides[0], data=data)
    assert len(client.ask(image).faces) == 1


BAD_IMAGES: dict[str, dict[str, Any]] = {
    "unknown encoding": {"encoding": "32FC1"},
    "step too small": {"step": 7},
    "data too short": {"data": array("B", bytes(100))},
    "no data": {"data": array("B")},
    "zero width": {"width": 0},
    "zero height": {"height": 0},
    "absurd size": {"width": 2**32 - 1, "height": 2**32 - 1, "step": 2**32 - 1},
    "odd width for yuv422": {"encoding": "yuv422", "width": 639},
}


def test_invalid_images_are_reported_and_the_next_one_is_processed(client: PerceptionClient) -> None:
    for name, changes in BAD_IMAGES.items():
        client.publish(client.image(**changes))
        assert len(client.ask().faces) == 1, name
    last = client.image(encoding="32FC1")
    status = client.status(
        lambda status: status.level == DiagnosticStatus.ERROR, "an error", lambda: client.publish(last)
    )
    assert "invalid images on /main/image: " in status.message
    assert "'32FC1'" in values(status)["last error"]
    assert int(values(status)["bad frames"]) >= 1
    assert len(client.ask().faces) == 1


def test_the_pose_is_metric_only_with_a_valid_camera_info(client: PerceptionClient) -> None:
    assert not client.answers[0].faces[0].pose.metric
    face = client.send_info(GOOD_INFO, metric=True).faces[0]
    assert face.pose.pose.position.z == pytest.approx(0.6, rel=0.15)  # meters, a face of unknown size
    client.send_info(BAD_INFO, metric=False)
    status = client.status(
        lambda status: "CameraInfo cannot be used" in status.message, "the problem", lambda: client.ask()
    )
    assert status.level == DiagnosticStatus.WARN
    assert "with fx and fy of at least 1 pixel, got" in status.message
    client.send_info(GOOD_INFO, metric=True)


def without_valid_stamp(image: Image) -> Image:
    """The image with a stamp before 1970, which rclpy.time.Time refuses."""
    image.header.stamp.sec = -1
    return image


def test_constant_and_decreasing_stamps_are_handled(client: PerceptionClient) -> None:
    client.ask(client.image(stamp=50_000_000_000))
    later = client.ask(client.image(stamp=50_100_000_000))
    again = client.ask(client.image(stamp=50_100_000_000))
    slightly_back = client.ask(client.image(stamp=50_070_000_000))
    without = client.ask(client.image(stamp=0))
    negative = client.ask(without_valid_stamp(client.image()))
    back = client.ask(client.image(stamp=10_000_000_000))
    after = client.ask(client.image(stamp=10_100_000_000))
    assert all(len(answer.faces) == 1 for answer in (later, again, slightly_back, without, negative, back, after))
    same = {answer.faces[0].face_id for answer in (again, slightly_back, without, negative)}
    assert same == {later.faces[0].face_id}
    assert back.faces[0].face_id != later.faces[0].face_id, "ids are not reused"
    assert after.faces[0].face_id == back.faces[0].face_id


def test_every_output_carries_the_header_of_the_image(client: PerceptionClient) -> None:
    kinds = {
        "pose": FacePose,
        "shape": FaceShape,
        "expression": FaceExpression,
        "mesh_markers": Marker,
        "annotated": Image,
    }
    received = {topic: client.listen(kind, topic) for topic, kind in kinds.items()}
    client.ask_until(lambda _: all(received.values()), "on every topic")
    stamps = {(answer.header.stamp.sec, answer.header.stamp.nanosec) for answer in client.answers}
    for messages in received.values():
        assert messages[-1].header.frame_id == FRAME_ID
        assert (messages[-1].header.stamp.sec, messages[-1].header.stamp.nanosec) in stamps
    assert received["mesh_markers"][-1].type == Marker.TRIANGLE_LIST
    assert (received["annotated"][-1].width, received["annotated"][-1].height) == (640, 480)


def test_a_late_subscriber_receives_the_face_model(client: PerceptionClient) -> None:
    models: list[FaceModel] = client.listen(FaceModel, "face_model", LATCHED)
    client.graph.until(lambda: models, "the face model")
    assert len(models[0].mean) == 3 * models[0].vertex_count
    assert models[0].model == client.ask().faces[0].shape.model
