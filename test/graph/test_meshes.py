"""Meshes between processes: marker, cloud and reconstruction show the same face in a subscriber."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import FaceArray, FaceModel
from numpy.typing import NDArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker

from face_expr_ros.drawing.mesh_markers import AXES, LANDMARKS, MESH
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.mesh_reconstruction import MeshReconstructor

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ROUNDING = 2e-6  # meters: float32 at arm's length


def stamp(message: Any) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def points_of(marker: Marker) -> NDArray[np.float64]:
    """(n, 3) in the camera frame."""
    q, p = marker.pose.orientation, marker.pose.position
    points = np.array([[point.x, point.y, point.z] for point in marker.points])
    return Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([p.x, p.y, p.z])


@pytest.mark.slow
def test_marker_cloud_and_reconstructed_mesh_show_the_same_face(graph: Any, start: Any) -> None:
    options = ("output.mesh_detail:=facemesh", "output.mesh_landmarks:=true", "output.mesh_axes:=true")
    perception = start("perception", "-r", "__ns:=/mesh", *[part for option in options for part in ("-p", option)])
    camera = start("camera", "-r", "__ns:=/mesh", "-p", "width:=640", "-p", "height:=480", "-p", "rate:=10.0")
    models: list[FaceModel] = graph.listen(FaceModel, "/mesh/face_model", LATCHED)
    faces: list[FaceArray] = graph.listen(FaceArray, "/mesh/faces")
    clouds: list[PointCloud2] = graph.listen(PointCloud2, "/mesh/mesh_cloud")
    markers: list[Marker] = graph.listen(Marker, "/mesh/mesh_markers", 50)

    def common() -> set[tuple[int, int]]:
        marked = {stamp(marker) for marker in markers if marker.id == AXES}
        return marked & {stamp(cloud) for cloud in clouds if cloud.width} & {stamp(m) for m in faces if m.faces}

    graph.until(lambda: models and common(), "a face, its markers and its cloud with one stamp")
    moment = max(common())
    (face,) = next(message for message in faces if stamp(message) == moment).faces
    mesh, landmarks, axes = (marker for marker in markers if stamp(marker) == moment)
    cloud = next(cloud for cloud in clouds if stamp(cloud) == moment)
    assert [(marker.ns, marker.id) for marker in (mesh, landmarks, axes)] == [
        (face.face_id, number) for number in (MESH, LANDMARKS, AXES)
    ]
    in_cloud = np.frombuffer(bytes(cloud.data), np.float32).reshape(-1, 4)[:, :3]
    assert len(mesh.points) == 3 * 898
    corners = points_of(mesh)
    np.testing.assert_allclose(points_of(landmarks)[:468], in_cloud, atol=ROUNDING)
    nearest = np.linalg.norm(corners[:, None] - in_cloud[None], axis=2).min(axis=1)
    assert nearest.max() < ROUNDING
    reconstructed = open_face_model("open").facemesh_points(MeshReconstructor(models[0]).in_camera(face))
    np.testing.assert_allclose(reconstructed[:468], in_cloud, atol=ROUNDING)
    position = face.pose.pose.position
    np.testing.assert_allclose(points_of(axes)[0], [position.x, position.y, position.z], atol=ROUNDING)
    assert camera.stop() == 0, camera.output
    assert perception.stop(signal.SIGINT) == 0, perception.output
