"""Mesh markers and point clouds: geometry, detail, style, and deletion of lost faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, project, rotation_from_euler, to_camera
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Frame, Pose, Roi
from face_expr_ros.drawing.mesh_detail import drawn_model
from face_expr_ros.drawing.mesh_markers import AXES, LANDMARKS, MESH
from face_expr_ros.drawing.meshes import MeshBuilder
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.cdr import CdrWriter
from face_expr_ros.ros.mesh_cloud import mesh_cloud
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.ros.outputs import Outputs

HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical_frame")
CAMERA = pinhole_camera(640, 480, 50.0)
DEFAULT = OutputConfig()
ROUNDING = 1e-6  # meters: float32 at arm's length


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@pytest.fixture(scope="module")
def coarse(model: MorphableModel) -> MorphableModel:
    return drawn_model(model, "decimated")


@pytest.fixture(scope="module")
def write_marker() -> CdrWriter:
    return CdrWriter(Marker)


def frame_of(image: NDArray[np.uint8] | None = None) -> Frame:
    picture = np.zeros((480, 640, 3), np.uint8) if image is None else image
    return Frame(picture, 0, "camera_optical_frame", CAMERA)


def make_face(model: MorphableModel, face_id: str = "f1", **blendshapes: float) -> Face:
    expression = np.array([blendshapes.get(name, 0.0) for name in model.expression_names])
    pose = Pose(rotation_from_euler(0.3, -0.2, 0.1), np.array([0.05, -0.02, 0.8]), metric=True)
    shape = np.random.default_rng(5).normal(size=len(model.identity))
    fit = FaceFit(pose, shape, expression, 0.001, np.zeros((68, 3)), np.zeros((3, 4)), 0.9)
    return Face(face_id, 0.9, Roi(0, 0, 10, 10), None, fit, Blendshapes(model.expression_names, expression))


def markers_of(
    markers: MeshMarkers, meshes: MeshBuilder, faces: Sequence[Face], config: OutputConfig, frame: Frame | None = None
) -> list[Marker]:
    """The markers as received by a subscriber."""
    mesh_set = meshes(faces, frame or frame_of(), config)
    messages = markers(faces, mesh_set, HEADER, config)
    return [deserialize_message(d if isinstance(d, bytes) else serialize_message(d), Marker) for d in messages]


def points_of(marker: Marker) -> NDArray[np.float64]:
    """The points of a marker in the camera frame."""
    q, p = marker.pose.orientation, marker.pose.position
    points = np.array([[point.x, point.y, point.z] for point in marker.points])
    return Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([p.x, p.y, p.z])


def colors_of(marker: Marker) -> NDArray[np.float64]:
    return np.array([[color.r, color.g, color.b, color.a] for color in marker.colors])


def vertices_in_camera(model: MorphableModel, face: Face) -> NDArray[Any]:
    return to_camera(model.vertices(face.fit.shape, face.fit.expression), face.fit.pose)


@pytest.mark.parametrize("detail", ["full", "decimated", "facemesh"])
@pytest.mark.parametrize("style", ["shaded", "textured", "wireframe"])
def test_the_mesh_has_the_pose_of_the_face_in_every_detail_and_style(
    model: MorphableModel, write_marker: CdrWriter, detail: str, style: str
) -> None:
    config = OutputConfig(mesh_detail=detail, mesh_style=style, mesh_opacity=0.5)
    face = make_face(model, jawOpen=0.8)
    (marker,) = markers_of(MeshMarkers(model, write_marker), MeshBuilder(model, config), [face], config)
    surface = drawn_model(model, detail)
    expected = vertices_in_camera(surface, face)[surface.triangles.ravel()]
    drawn = points_of(marker)
    if style == "wireframe":
        assert marker.type == Marker.LINE_LIST
        sides = {tuple(sorted(pair)) for t in surface.triangles.tolist() for pair in zip(t, t[1:] + t[:1], strict=True)}
        assert len(drawn) == 2 * len(sides)
        expected, drawn = (np.unique(points.round(5), axis=0) for points in (expected, drawn))
    else:
        assert marker.type == Marker.TRIANGLE_LIST
    np.testing.assert_allclose(drawn, expected, atol=10 * ROUNDING if style == "wireframe" else ROUNDING)
    assert (marker.action, marker.header, marker.ns, marker.id) == (Marker.ADD, HEADER, "f1", MESH)
    colors = colors_of(marker)
    assert len(colors) == len(marker.points)
    assert 0 <= colors[:, :3].min() <= colors[:, :3].max() <= 1
    assert (colors[:, 3] == 0.5).all()


def test_landmarks_and_axes_are_optional_markers(model: MorphableModel, write_marker: CdrWriter) -> None:
    config = OutputConfig(mesh_landmarks=True, mesh_axes=True)
    face = make_face(model, mouthSmileLeft=1.0)
    received = markers_of(MeshMarkers(model, write_marker), MeshBuilder(model, config), [face], config)
    _, points, axes = received
    assert [(marker.ns, marker.id) for marker in received] == [("f1", MESH), ("f1", LANDMARKS), ("f1", AXES)]
    expected = model.facemesh_points(vertices_in_camera(model, face))
    np.testing.assert_allclose(points_of(points), expected, atol=10 * ROUNDING)
    ends = points_of(axes)
    np.testing.assert_allclose(ends[::2], np.tile(face.fit.pose.position, (3, 1)), atol=ROUNDING)
    directions = (ends[1::2] - ends[::2]) / 0.1  # in units of the axes' length
    rotation = face.fit.pose.rotation  # columns: to the subject's left, up, out of the face
    np.testing.assert_allclose(directions, rotation[:, [2, 0, 1]].T, atol=1e-5)
    np.testing.assert_array_equal(colors_of(axes)[1::2, :3], np.eye(3))


def test_markers_of_lost_faces_and_disabled_elements_are_deleted(model: MorphableModel) -> None:
    markers, meshes = MeshMarkers(model, CdrWriter(Marker)), MeshBuilder(model, DEFAULT)

    def actions(*ids: str, axes: bool = False) -> list[tuple[int, str, int]]:
        config = OutputConfig(mesh_axes=axes, mesh_detail="facemesh")
        received = markers_of(markers, meshes, [make_face(model, face_id) for face_id in ids], config)
        return [(marker.action, marker.ns, marker.id) for marker in received]

    assert actions("f1", "f2") == [(Marker.ADD, "f1", MESH), (Marker.ADD, "f2", MESH)]
    assert actions("f2", axes=True) == [(Marker.DELETE, "f1", MESH), (Marker.ADD, "f2", MESH), (Marker.ADD, "f2", AXES)]
    assert actions("f2") == [(Marker.DELETE, "f2", AXES), (Marker.ADD, "f2", MESH)]
    assert actions() == [(Marker.DELETE, "f2", MESH)]
    assert actions() == []


def test_a_textured_mesh_has_image_colors_where_it_is_visible(model: MorphableModel, write_marker: CdrWriter) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, 640)  # blue to the right
    image[..., 1] = np.linspace(0, 255, 480)[:, None]  # green downwards
    config, face = OutputConfig(mesh_style="textured"), make_face(model)
    (marker,) = markers_of(
        MeshMarkers(model, write_marker), MeshBuilder(model, config), [face], config, frame_of(image)
    )
    surface = drawn_model(model, "full")
    nose = surface.triangles.ravel() == np.argmax(surface.mean[:, 2])
    (x, y), *_ = project(points_of(marker)[nose], CAMERA)
    expected = (0.0, y / 479, x / 639, 1.0)
    np.testing.assert_allclose(colors_of(marker)[nose][0], expected, atol=1 / 255)
    back = surface.triangles.ravel() == np.argmin(surface.mean[:, 2])
    (shaded,) = markers_of(MeshMarkers(model, write_marker), MeshBuilder(model, DEFAULT), [face], DEFAULT)
    np.testing.assert_array_equal(colors_of(marker)[back], colors_of(shaded)[back])


@pytest.mark.parametrize("where", [(0.0, 0.0, -0.5), (9.0, 0.0, 0.5), (0.0, 0.0, 0.05)])
def test_a_textured_face_outside_the_image_has_finite_colors(
    model: MorphableModel, where: tuple[float, float, float]
) -> None:
    face = make_face(model)
    face = replace(face, fit=replace(face.fit, pose=replace(face.fit.pose, position=np.array(where))))
    config = OutputConfig(mesh_style="textured")
    mesh_set = MeshBuilder(model, config)([face], frame_of(), config)
    assert mesh_set is not None
    assert np.isfinite(mesh_set.meshes[0].colors).all()


def cloud_of(model: MorphableModel, faces: Sequence[Face], config: OutputConfig = DEFAULT) -> PointCloud2:
    mesh_set = MeshBuilder(model, config)(faces, frame_of(), config)
    assert mesh_set is not None
    data = mesh_cloud(mesh_set, HEADER, CdrWriter(PointCloud2))
    assert isinstance(data, bytes)
    return deserialize_message(data, PointCloud2)


def test_the_cloud_contains_all_vertices_in_the_camera_frame(model: MorphableModel) -> None:
    faces = [make_face(model, "f1"), make_face(model, "f2", jawOpen=1.0)]
    cloud = cloud_of(model, faces)
    surface = drawn_model(model, "full")
    fields = np.dtype({"names": [f.name for f in cloud.fields], "formats": ["<f4"] * 4,
                       "offsets": [f.offset for f in cloud.fields], "itemsize": cloud.point_step})  # fmt: skip
    points = np.frombuffer(bytes(cloud.data), fields)
    received = np.column_stack([points[axis] for axis in "xyz"])
    np.testing.assert_allclose(
        received, np.concatenate([vertices_in_camera(surface, face) for face in faces]), atol=ROUNDING
    )
    assert (cloud.header, cloud.height, cloud.width) == (HEADER, 1, 2 * len(surface.mean))
    assert (cloud.row_step, cloud.is_dense, cloud.is_bigendian) == (len(cloud.data), True, False)
    red = (points["rgb"].copy().view(np.uint32) >> 16) & 255
    mesh_set = MeshBuilder(model, DEFAULT)(faces, frame_of(), DEFAULT)
    assert mesh_set is not None
    np.testing.assert_allclose(red[: len(surface.mean)], 255 * mesh_set.meshes[0].colors[:, 0], atol=0.51)


def test_a_cloud_without_faces_is_empty(model: MorphableModel) -> None:
    cloud = cloud_of(model, [])
    assert (cloud.width, cloud.row_step, len(cloud.data), cloud.header) == (0, 0, 0, HEADER)


def test_a_model_without_a_surface_has_only_landmarks_and_axes(model: MorphableModel, write_marker: CdrWriter) -> None:
    nothing = np.zeros((0, 3), np.int32)
    sparse = replace(model, triangles=nothing, facemesh_triangle=nothing[:, 0])
    config = OutputConfig(mesh_landmarks=True, mesh_axes=True)
    meshes, markers = MeshBuilder(sparse, config), MeshMarkers(sparse, write_marker)
    received = markers_of(markers, meshes, [make_face(model)], config)
    assert [marker.id for marker in received] == [LANDMARKS, AXES]
    assert len(received[0].points) == 68
    assert markers_of(markers, meshes, [], config)[0].action == Marker.DELETE


def test_an_unsupported_mesh_detail_is_rejected_at_startup(model: MorphableModel, ros: None) -> None:
    bare = replace(model, facemesh_triangle=np.zeros(0, np.int32))
    node = LifecycleNode("refused")
    with pytest.raises(ConfigError, match=r"mesh_detail: expected full or decimated for the face model 'open', got"):
        Outputs(node, bare, OutputConfig(mesh_detail="facemesh"))
    node.destroy_node()
