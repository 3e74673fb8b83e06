"""The fitted mesh on its topics: where it is, in which detail and style, and gone when its face is."""

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
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.facemesh_regions import INNER_LIPS, LEFT_LIDS
from face_expr_ros.core.facemesh_topology import facemesh_triangles
from face_expr_ros.core.geometry import pinhole_camera, project, rotation_from_euler, to_camera
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Frame, Pose, Roi
from face_expr_ros.drawing.mesh_detail import distances, drawn_model
from face_expr_ros.kernels.decimation import decimated
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.ros.cdr import CdrWriter
from face_expr_ros.ros.mesh_cloud import mesh_cloud
from face_expr_ros.ros.mesh_markers import AXES, LANDMARKS, MESH, MeshMarkers
from face_expr_ros.ros.meshes import Meshes
from face_expr_ros.ros.outputs import Outputs

HEADER = Header(stamp=Time(sec=12, nanosec=345), frame_id="camera_optical_frame")
CAMERA = pinhole_camera(640, 480, 50.0)
DEFAULT = OutputConfig()
TRUTH = 1e-6  # meters: float32 at arm's length


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
    markers: MeshMarkers, meshes: Meshes, faces: Sequence[Face], config: OutputConfig, frame: Frame | None = None
) -> list[Marker]:
    """What a subscriber receives."""
    drawing = meshes(faces, frame or frame_of(), config)
    given = markers(faces, drawing, HEADER, config)
    return [deserialize_message(d if isinstance(d, bytes) else serialize_message(d), Marker) for d in given]


def drawn_points(marker: Marker) -> NDArray[np.float64]:
    """A marker's points in the camera frame."""
    q, p = marker.pose.orientation, marker.pose.position
    points = np.array([[point.x, point.y, point.z] for point in marker.points])
    return Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([p.x, p.y, p.z])


def colors_of(marker: Marker) -> NDArray[np.float64]:
    return np.array([[color.r, color.g, color.b, color.a] for color in marker.colors])


def vertices_in_camera(model: MorphableModel, face: Face) -> NDArray[Any]:
    return to_camera(model.vertices(face.fit.shape, face.fit.expression), face.fit.pose)


@pytest.mark.parametrize("detail", ["full", "decimated", "facemesh"])
@pytest.mark.parametrize("style", ["shaded", "textured", "wireframe"])
def test_the_mesh_is_where_the_face_is_in_every_detail_and_style(
    model: MorphableModel, write_marker: CdrWriter, detail: str, style: str
) -> None:
    config = OutputConfig(mesh_detail=detail, mesh_style=style, mesh_opacity=0.5)
    face = make_face(model, jawOpen=0.8)
    (marker,) = markers_of(MeshMarkers(model, write_marker), Meshes(model, config), [face], config)
    surface = drawn_model(model, detail)
    wanted = vertices_in_camera(surface, face)[surface.triangles.ravel()]
    drawn = drawn_points(marker)
    if style == "wireframe":
        assert marker.type == Marker.LINE_LIST
        sides = {tuple(sorted(pair)) for t in surface.triangles.tolist() for pair in zip(t, t[1:] + t[:1], strict=True)}
        assert len(drawn) == 2 * len(sides)
        wanted, drawn = (np.unique(points.round(5), axis=0) for points in (wanted, drawn))
    else:
        assert marker.type == Marker.TRIANGLE_LIST
    np.testing.assert_allclose(drawn, wanted, atol=10 * TRUTH if style == "wireframe" else TRUTH)
    assert (marker.action, marker.header, marker.ns, marker.id) == (Marker.ADD, HEADER, "f1", MESH)
    colors = colors_of(marker)
    assert len(colors) == len(marker.points)
    assert 0 <= colors[:, :3].min() <= colors[:, :3].max() <= 1
    assert (colors[:, 3] == 0.5).all()


def test_full_is_the_whole_model_without_the_lashes(model: MorphableModel) -> None:
    full = drawn_model(model, "full")
    lashes = model.part_names.index("eyelashes")
    wanted = model.mean[model.triangles[model.triangle_part != lashes]]
    np.testing.assert_array_equal(full.mean[full.triangles], wanted)


def test_a_model_that_is_drawn_whole_is_not_copied(model: MorphableModel) -> None:
    bare = replace(model, part_names=(), vertex_part=np.zeros(0, np.uint8))
    assert drawn_model(bare, "full") is bare


def test_landmarks_and_axes_come_with_the_mesh_when_asked_for(model: MorphableModel, write_marker: CdrWriter) -> None:
    config = OutputConfig(mesh_landmarks=True, mesh_axes=True)
    face = make_face(model, mouthSmileLeft=1.0)
    given = markers_of(MeshMarkers(model, write_marker), Meshes(model, config), [face], config)
    _, points, axes = given
    assert [(marker.ns, marker.id) for marker in given] == [("f1", MESH), ("f1", LANDMARKS), ("f1", AXES)]
    wanted = model.facemesh_points(vertices_in_camera(model, face))
    np.testing.assert_allclose(drawn_points(points), wanted, atol=10 * TRUTH)
    ends = drawn_points(axes)
    np.testing.assert_allclose(ends[::2], np.tile(face.fit.pose.position, (3, 1)), atol=TRUTH)
    directions = (ends[1::2] - ends[::2]) / 0.1  # in units of the axes' length
    rotation = face.fit.pose.rotation  # columns: to the subject's left, up, out of the face
    np.testing.assert_allclose(directions, rotation[:, [2, 0, 1]].T, atol=1e-5)
    np.testing.assert_array_equal(colors_of(axes)[1::2, :3], np.eye(3))


def test_markers_of_a_face_that_leaves_and_of_what_is_switched_off_are_deleted(model: MorphableModel) -> None:
    markers, meshes = MeshMarkers(model, CdrWriter(Marker)), Meshes(model, DEFAULT)

    def actions(*ids: str, axes: bool = False) -> list[tuple[int, str, int]]:
        config = OutputConfig(mesh_axes=axes, mesh_detail="facemesh")
        given = markers_of(markers, meshes, [make_face(model, face_id) for face_id in ids], config)
        return [(marker.action, marker.ns, marker.id) for marker in given]

    assert actions("f1", "f2") == [(Marker.ADD, "f1", MESH), (Marker.ADD, "f2", MESH)]
    assert actions("f2", axes=True) == [(Marker.DELETE, "f1", MESH), (Marker.ADD, "f2", MESH), (Marker.ADD, "f2", AXES)]
    assert actions("f2") == [(Marker.DELETE, "f2", AXES), (Marker.ADD, "f2", MESH)]
    assert actions() == [(Marker.DELETE, "f2", MESH)]
    assert actions() == []


def test_a_textured_mesh_has_the_colors_of_the_image_where_it_faces_the_camera(
    model: MorphableModel, write_marker: CdrWriter
) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, 640)  # blue to the right
    image[..., 1] = np.linspace(0, 255, 480)[:, None]  # green downwards
    config, face = OutputConfig(mesh_style="textured"), make_face(model)
    (marker,) = markers_of(MeshMarkers(model, write_marker), Meshes(model, config), [face], config, frame_of(image))
    surface = drawn_model(model, "full")
    nose = surface.triangles.ravel() == np.argmax(surface.mean[:, 2])
    (x, y), *_ = project(drawn_points(marker)[nose], CAMERA)
    wanted = (0.0, y / 479, x / 639, 1.0)
    np.testing.assert_allclose(colors_of(marker)[nose][0], wanted, atol=1 / 255)
    back = surface.triangles.ravel() == np.argmin(surface.mean[:, 2])
    (shaded,) = markers_of(MeshMarkers(model, write_marker), Meshes(model, DEFAULT), [face], DEFAULT)
    np.testing.assert_array_equal(colors_of(marker)[back], colors_of(shaded)[back])


@pytest.mark.parametrize("where", [(0.0, 0.0, -0.5), (9.0, 0.0, 0.5), (0.0, 0.0, 0.05)])
def test_a_textured_face_outside_of_the_image_keeps_its_own_colors(
    model: MorphableModel, where: tuple[float, float, float]
) -> None:
    face = make_face(model)
    face = replace(face, fit=replace(face.fit, pose=replace(face.fit.pose, position=np.array(where))))
    config = OutputConfig(mesh_style="textured")
    drawing = Meshes(model, config)([face], frame_of(), config)
    assert drawing is not None
    assert np.isfinite(drawing.faces[0].colors).all()


def cloud_of(model: MorphableModel, faces: Sequence[Face], config: OutputConfig = DEFAULT) -> PointCloud2:
    drawing = Meshes(model, config)(faces, frame_of(), config)
    assert drawing is not None
    data = mesh_cloud(drawing, HEADER, CdrWriter(PointCloud2))
    assert isinstance(data, bytes)
    return deserialize_message(data, PointCloud2)


def test_the_cloud_is_all_vertices_of_all_faces_in_the_camera_frame(model: MorphableModel) -> None:
    faces = [make_face(model, "f1"), make_face(model, "f2", jawOpen=1.0)]
    cloud = cloud_of(model, faces)
    surface = drawn_model(model, "full")
    fields = np.dtype({"names": [f.name for f in cloud.fields], "formats": ["<f4"] * 4,
                       "offsets": [f.offset for f in cloud.fields], "itemsize": cloud.point_step})  # fmt: skip
    points = np.frombuffer(bytes(cloud.data), fields)
    given = np.column_stack([points[axis] for axis in "xyz"])
    np.testing.assert_allclose(given, np.concatenate([vertices_in_camera(surface, face) for face in faces]), atol=TRUTH)
    assert (cloud.header, cloud.height, cloud.width) == (HEADER, 1, 2 * len(surface.mean))
    assert (cloud.row_step, cloud.is_dense, cloud.is_bigendian) == (len(cloud.data), True, False)
    red = (points["rgb"].copy().view(np.uint32) >> 16) & 255
    drawing = Meshes(model, DEFAULT)(faces, frame_of(), DEFAULT)
    assert drawing is not None
    np.testing.assert_allclose(red[: len(surface.mean)], 255 * drawing.faces[0].colors[:, 0], atol=0.51)


def test_a_cloud_of_nobody_is_empty(model: MorphableModel) -> None:
    cloud = cloud_of(model, [])
    assert (cloud.width, cloud.row_step, len(cloud.data), cloud.header) == (0, 0, 0, HEADER)


def test_a_model_without_a_surface_has_points_and_axes_only(model: MorphableModel, write_marker: CdrWriter) -> None:
    nothing = np.zeros((0, 3), np.int32)
    sparse = replace(model, triangles=nothing, facemesh_triangle=nothing[:, 0])
    config = OutputConfig(mesh_landmarks=True, mesh_axes=True)
    meshes, markers = Meshes(sparse, config), MeshMarkers(sparse, write_marker)
    given = markers_of(markers, meshes, [make_face(model)], config)
    assert [marker.id for marker in given] == [LANDMARKS, AXES]
    assert len(given[0].points) == 68
    assert markers_of(markers, meshes, [], config)[0].action == Marker.DELETE


# Levels of detail


def test_facemesh_has_the_triangles_of_the_canonical_model() -> None:
    triangles = facemesh_triangles()
    assert triangles.shape == (898, 3)
    assert len(np.unique(triangles)) == 468
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(sides, axis=0)) == len(sides)  # every side once in each direction: all are wound alike
    rim = {tuple(side) for side in sides.tolist()} - {tuple(side) for side in sides[:, ::-1].tolist()}
    assert len(rim) == 36  # only the outline of the face is open: eyes and mouth are closed


def test_facemesh_is_wound_counter_clockwise_seen_from_outside(model: MorphableModel) -> None:
    face = drawn_model(model, "facemesh")
    a, b, c = (face.mean[face.triangles[:, corner]] for corner in range(3))
    towards = np.cross(b - a, c - a)[:, 2] > 0
    assert towards.mean() > 0.99
    assert set(LEFT_LIDS) | set(INNER_LIPS) <= set(face.triangles[towards].ravel().tolist())


def test_a_model_without_facemesh_points_is_refused_at_start(model: MorphableModel, ros: None) -> None:
    bare = replace(model, facemesh_triangle=np.zeros(0, np.int32))
    node = LifecycleNode("refused")
    with pytest.raises(ConfigError, match=r"mesh_detail: expected full or decimated for the face model 'open', got"):
        Outputs(node, bare, OutputConfig(mesh_detail="facemesh"))
    node.destroy_node()


EXPRESSIONS: dict[str, float] = {"neutral": 0.7, "jawOpen": 0.7, "eyeBlinkLeft": 0.7, "mouthSmileRight": 0.7}
MOST_OFF = 4.0  # millimeters


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_decimated_mesh_is_a_millimeter_from_the_full_one(
    model: MorphableModel, coarse: MorphableModel, expression: str
) -> None:
    coefficients = [float(name == expression) for name in model.expression_names]
    full, few = (one.vertices(None, coefficients) for one in (drawn_model(model, "full"), coarse))
    off = 1000 * distances(full, few, coarse.triangles)
    print(f"{expression}: {np.sqrt(np.mean(off**2)):.2f} mm rms, {off.max():.2f} mm at most")
    assert np.sqrt(np.mean(off**2)) < EXPRESSIONS[expression]
    assert off.max() < MOST_OFF


def test_the_decimated_mesh_has_a_quarter_of_the_vertices_and_the_same_parts(
    model: MorphableModel, coarse: MorphableModel
) -> None:
    full = drawn_model(model, "full")
    assert len(coarse.mean) == round(0.25 * len(full.mean))
    assert set(np.unique(coarse.vertex_part)) == set(np.unique(full.vertex_part))
    assert {tuple(row) for row in coarse.mean.tolist()} <= {tuple(row) for row in full.mean.tolist()}


def sphere(rings: int = 24) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A closed sphere of radius 1: (V, 3) and (T, 3), counter-clockwise seen from outside."""
    count = rings * rings
    z = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    points = np.column_stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])
    triangles = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    inward = np.sum(np.cross(b - a, c - a) * a, axis=1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return points, triangles


def test_a_decimated_sphere_is_still_a_closed_sphere() -> None:
    points, triangles = sphere()
    few = decimated(points[None], triangles, 0.25)
    vertices = len(np.unique(few))
    assert vertices == round(0.25 * len(points))
    assert len(few) == 2 * vertices - 4  # Euler: closed, without handles
    sides = np.concatenate([few[:, [0, 1]], few[:, [1, 2]], few[:, [2, 0]]])
    assert {tuple(side) for side in sides.tolist()} == {tuple(side) for side in sides[:, ::-1].tolist()}
    assert distances(points, points, few).max() < 0.06  # radii; the sagitta of its triangles


def test_a_flat_rim_stays_and_its_inside_goes_without_an_error() -> None:
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(9.0), np.arange(9.0)))
    points = np.column_stack([x, y, 0 * x])
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    squares = [np.column_stack([corner, corner + 1, corner + 10]), np.column_stack([corner, corner + 10, corner + 9])]
    few = decimated(points[None], np.concatenate(squares), 0.5)
    rim = (x == 0) | (x == 8) | (y == 0) | (y == 8)
    assert set(np.flatnonzero(rim)) <= set(few.ravel())
    a, b, c = (points[few[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(64.0)


def test_distances_to_triangles_are_those_to_plane_edge_and_corner() -> None:
    triangle = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    points = np.array([[1.0, 1.0, 2.0], [2.0, -1.0, 0.0], [7.0, 0.0, 4.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(distances(points, triangle, np.array([[0, 1, 2]])), [2.0, 1.0, 5.0, 0.0], atol=1e-12)
