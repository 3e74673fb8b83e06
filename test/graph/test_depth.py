"""The perception node with a depth camera: the distance comes from depth/image if it is aligned."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from face_expr_ros.msg import FaceArray
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from support.depth_camera import as_message_values, exact_depth
from support.perception_client import FRAME_ID, SENSOR_DATA, PerceptionClient

from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.camera_info_messages import info_from_camera
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace

CAMERA = pinhole_camera(640, 480, 45.0)
DISTANCE = 0.6  # meters, of the face in the portrait


@pytest.fixture(scope="module")
def depth() -> NDArray[np.uint16]:
    """Millimeters of the portrait, moved a tenth farther: what no image of an average head shows."""
    model = open_face_model("open")
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, DISTANCE]), metric=True)
    exact = exact_depth([SceneFace(FaceRenderer(model, texture_width=256), model.mean, pose)], CAMERA)
    return as_message_values(np.float32(1.1) * exact)


def test_the_distance_follows_an_aligned_depth_image(
    graph: Any, start: Any, portrait: NDArray[np.uint8], depth: NDArray[np.uint16]
) -> None:
    start("perception", "-r", "__ns:=/rgbd")
    client = PerceptionClient(graph, "/rgbd", portrait)
    publisher = graph.node.create_publisher(Image, "/rgbd/depth/image", SENSOR_DATA)
    client.send_info(info_from_camera(CAMERA, 640, 480, Header(frame_id=FRAME_ID)), metric=True)

    def ask(frame_id: str) -> FaceArray:
        image = client.image()
        header = Header(stamp=image.header.stamp, frame_id=frame_id)
        data = array("B", depth.tobytes())
        publisher.publish(Image(header=header, width=640, height=480, encoding="16UC1", step=1280, data=data))
        return client.ask(image)

    assert not ask("another_frame").faces[0].pose.depth_used
    status = client.status(
        lambda status: "depth images are ignored" in status.message, "the problem", lambda: ask("another_frame")
    )
    assert status.level == DiagnosticStatus.WARN
    assert "got 640 x 480 in 'another_frame'" in status.message
    answers = [ask(FRAME_ID) for _ in range(30)]
    assert answers[-1].faces[0].pose.depth_used
    assert answers[-1].faces[0].pose.pose.position.z == pytest.approx(1.1 * DISTANCE, rel=0.02)
