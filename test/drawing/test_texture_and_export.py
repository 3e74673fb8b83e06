"""Textures and 3D files of synthetic faces with known vertex colors reproduce these colors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.geometry import (
    bounding_box,
    pinhole_camera,
    pixels_with_depth,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.types import Blendshapes, Camera, Face, FaceFit, Frame, Pose
from face_expr_ros.drawing import surface
from face_expr_ros.drawing import texture_sampling as sampling
from face_expr_ros.drawing.depth import _FLAT_LIGHT, _PLAIN, normalized_coordinates
from face_expr_ros.drawing.mesh_export import export_faces
from face_expr_ros.drawing.uv_texture import face_texture, texture_layout
from face_expr_ros.kernels.rasterizer import Shading
from face_expr_ros.models.bundle import open_face_model

CAMERA = pinhole_camera(640, 480, 45.0)
WIDTH = 256  # of the texture


@pytest.fixture(scope="module")
def model():
    return open_face_model("open")


def paint(model: MorphableModel) -> NDArray[np.float32]:
    """(V, 3) vertex colors in 0..1, symmetric, varying with height and depth."""
    code = normalized_coordinates(model)
    return np.column_stack([np.abs(code[:, 0] * 2 - 1), code[:, 1], code[:, 2]]).astype(np.float32)


def fit_at(model: MorphableModel, x: float, yaw: float, shape: NDArray, camera: Camera = CAMERA) -> FaceFit:
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.0, 0.0), np.array([x, 0.0, 0.5]), True)
    points = to_camera(model.vertices(shape)[model.landmarks68], pose)
    return FaceFit(
        pose=pose, shape=shape, expression=np.zeros(len(model.expression)), residual=0.0,
        landmarks68=pixels_with_depth(points, pose, camera), weak_perspective=weak_perspective(pose, camera),
        confidence=1.0,
    )  # fmt: skip


def painted(
    model: MorphableModel, fits: list[FaceFit], background: int = 0
) -> tuple[NDArray, list[surface.ProjectedFace]]:
    """An image of painted faces."""
    front, colors = surface.front(model), paint(model)
    image = np.full((480, 640, 3), background, np.uint8)
    projected = surface.project_faces(fits, model, CAMERA, 480)
    shading = Shading(np.broadcast_to(np.array([0, 0, -1], np.float32), colors.shape), colors, _PLAIN, _FLAT_LIGHT)
    for tile in surface.tiles(projected, front, 640, 480):
        canvas = surface.shade(tile, projected, front, [shading] * len(projected))
        image[tile.window] = np.where(canvas[..., 3:] > 0, np.round(canvas[..., :3] * 255), background)
    return image, projected


def visible_in_frontal_view(model: MorphableModel) -> NDArray[np.bool_]:
    """(N,) which texels are visible in a frontal view of the face."""
    solid = surface.whole(model)
    (projected,) = surface.project_faces([fit_at(model, 0.0, 0.0, np.zeros(1))], model, CAMERA, 480)
    (tile,) = surface.tiles([projected], solid, 640, 480)
    seen = tile.visible(projected.pixels) & (projected.facing(solid) > 0.3)
    return seen[solid.mesh.triangles].all(axis=1)[texture_layout(model, WIDTH).under.triangle]


def error(model: MorphableModel, texture: NDArray, low: float, high: float) -> NDArray:
    """Error in gray levels of texels near the face's center, for x from low to high in meters."""
    layout, solid = texture_layout(model, WIDTH), surface.whole(model)
    under = layout.under.interpolate(np.column_stack([paint(model), model.mean]), solid.mesh.triangles)
    x, y, z = under[:, 3:].T
    chosen = visible_in_frontal_view(model) & (z > -0.03) & (y > -0.08) & (y < 0.06) & (x > low) & (x < high)
    expected, actual = under[chosen, :3] * 255, texture[layout.under.rows[chosen], layout.under.columns[chosen]]
    assert chosen.sum() > 1000
    return np.abs(expected - actual).max(axis=1)


def test_texture_has_the_colors_of_the_image(model) -> None:
    image, projected = painted(model, [fit_at(model, 0.0, 0.0, np.zeros(1))])
    off = error(model, face_texture(image, projected[0], projected, model, WIDTH), -0.04, 0.04)
    assert np.median(off) < 2.5, "levels; a pixel of the image is 1 mm and 2 levels"
    assert np.percentile(off, 90) < 8, "except at nostrils and lids"


@pytest.mark.parametrize("with_mirror", [True, False])
def test_hidden_side_of_a_rotated_face_is_filled_from_the_other_side(model, with_mirror) -> None:
    one = model if with_mirror else replace(model, mirror=np.zeros(0, np.int32), sha256="found by place")
    image, projected = painted(one, [fit_at(one, 0.0, 55.0, np.zeros(1))])
    texture = face_texture(image, projected[0], projected, one, WIDTH)
    hidden = error(one, texture, -0.045, -0.02)
    assert np.median(hidden) < 4
    assert np.percentile(hidden, 80) < 12


def test_occluded_texels_are_not_sampled_from_the_occluding_face(model) -> None:
    """A white, nearer face is in front of the right half of the farther one."""
    image, projected = painted(model, [fit_at(model, 0.0, 0.0, np.zeros(1))])
    before = surface.ProjectedFace(projected[0].points, projected[0].pixels + np.array([-90, 0, -0.1], np.float32))
    image[:, :305] = 255
    texture = face_texture(image, projected[0], [projected[0], before], model, WIDTH)
    off = error(model, texture, -0.045, -0.02)
    assert np.median(off) < 6, "levels: mirrored, not white"


def test_face_outside_the_image_has_a_gray_texture(model) -> None:
    image, projected = painted(model, [fit_at(model, 0.0, 0.0, np.zeros(1))])
    outside = surface.ProjectedFace(projected[0].points, projected[0].pixels + np.array([900, 0, 0], np.float32))
    texture = face_texture(image, outside, [outside], model, WIDTH)
    assert set(np.unique(texture)) == {0, 128}


def test_face_is_upright_in_its_texture(model) -> None:
    layout, solid = texture_layout(model, WIDTH), surface.whole(model)
    x, y, _ = layout.under.interpolate(model.mean, solid.mesh.triangles).T
    skin = np.isin(solid.triangle_indices[layout.under.triangle], surface.skin(model).triangle_indices)
    face = skin & visible_in_frontal_view(model)
    assert np.corrcoef(layout.under.columns[face], x[face])[0, 1] > 0.9, "the subject's left is right"
    assert np.corrcoef(layout.under.rows[face], y[face])[0, 1] < -0.9, "up is up"


def test_mirror_of_a_model_without_one_is_found_by_position(model) -> None:
    found = sampling.mirror_indices(replace(model, mirror=np.zeros(0, np.int32), sha256="by place"))
    skin = surface.skin(model).vertices
    offset = model.mean[found[skin]] * [-1, 1, 1] - model.mean[skin]
    assert np.median(np.linalg.norm(offset, axis=1)) < 0.0005, "meters"


@dataclass(frozen=True)
class Obj:
    """Contents of an OBJ file; indices start at 0."""

    comment: str
    vertices: NDArray
    uv: NDArray
    normals: NDArray
    corners: NDArray  # (T, 3, 3): vertex, uv, normal of each corner
    material: dict[str, str]


def read_obj(path: Path) -> Obj:
    rows: dict[str, list[list[str]]] = {}
    for line in path.read_text().splitlines():
        key, *values = line.split()
        rows.setdefault(key, []).append(values)
    material = path.with_name(rows["mtllib"][0][0]).read_text().splitlines()
    vertices, uv, normals = (np.array(rows[key], float) for key in ("v", "vt", "vn"))
    corners = np.array([[corner.split("/") for corner in face] for face in rows["f"]], int) - 1
    named = dict(line.split(" ", 1) for line in material)
    return Obj(" ".join(rows["#"][0]), vertices, uv, normals, corners, named)


def read_ply(path: Path) -> tuple[str, NDArray, NDArray]:
    """Header, vertices and faces of a binary little-endian PLY file, parsed according to its header."""
    head, body = path.read_bytes().split(b"end_header\n", 1)
    header, kinds = head.decode(), {"float": "<f4", "uchar": "u1"}
    elements = header.split("element ")[1:]
    counts = [int(element.split()[1]) for element in elements]
    fields = [line.split()[1:] for line in elements[0].splitlines() if line.startswith("property")]
    vertex = np.dtype([(name, kinds[kind]) for kind, name in fields])
    assert "property list uchar int vertex_indices" in elements[1]
    vertices = np.frombuffer(body, vertex, counts[0])
    faces = np.frombuffer(body, [("n", "u1"), ("corners", "<i4", 3)], counts[1], vertices.nbytes)
    assert len(body) == vertices.nbytes + faces.nbytes
    return header, vertices, faces


def scene(model: MorphableModel, *ids: str) -> tuple[Frame, list[Face]]:
    """Faces with known vertex colors side by side, the first broader than the mean."""
    shapes = [np.array([1.5, -1.0]), np.zeros(2)]
    places = [0.0] if len(ids) == 1 else [-0.1, 0.1]
    fits = [fit_at(model, x, 0.0, shape) for x, shape in zip(places, shapes, strict=False)]
    image, _ = painted(model, fits)
    faces = [
        Face(name, 1.0, bounding_box(fit.landmarks68), None, fit, Blendshapes((), np.zeros(0)))
        for name, fit in zip(ids, fits, strict=True)
    ]
    return Frame(image, 0, "camera", CAMERA), faces


def test_obj_file_contains_the_face_in_meters_with_its_texture(model, tmp_path: Path) -> None:
    frame, faces = scene(model, "f1")
    files = export_faces("obj", tmp_path / "anna.png", frame, faces, model)
    assert [file.name for file in files] == ["anna.obj", "anna.mtl", "anna_texture.png"]
    obj = read_obj(files[0])
    assert "meters" in obj.comment
    assert obj.vertices == pytest.approx(model.vertices(faces[0].fit.shape), abs=1e-6)
    assert np.array_equal(obj.corners[..., 0], surface.whole(model).mesh.triangles)
    a, b, c = (obj.vertices[obj.corners[:, n, 0]] for n in range(3))
    flat = np.cross(b - a, c - a)
    assert (np.einsum("tc,tc->t", flat, obj.normals[obj.corners[:, 0, 2]]) > 0).mean() > 0.97, "seen from outside"
    texture = cv2.imread(str(tmp_path / obj.material["map_Kd"]))
    assert 0 <= obj.uv.min() <= obj.uv.max() <= 1
    at = (obj.uv * [1, -1] + [0, 1]) * texture.shape[1::-1] - 0.5
    corners = obj.corners[np.isin(surface.whole(model).triangle_indices, surface.skin(model).triangle_indices)].reshape(
        -1, 3
    )
    near = (obj.vertices[corners[:, 0], 2] > -0.02) & (np.abs(obj.vertices[corners[:, 0], 0]) < 0.04)
    column, row = at[corners[near, 1]].round().astype(int).T
    off = np.abs(texture[row, column] - paint(model)[corners[near, 0]] * 255)
    assert np.median(off) < 3, "levels: v runs up in the file and down in the image"


def test_ply_file_contains_the_face_in_meters_with_its_colors(model, tmp_path: Path) -> None:
    frame, faces = scene(model, "f1")
    (file,) = export_faces("ply", tmp_path / "anna.png", frame, faces, model)
    header, vertices, triangles = read_ply(file)
    assert (file.name, "comment meters" in header) == ("anna.ply", True)
    xyz = np.column_stack([vertices[name] for name in "xyz"])
    assert xyz == pytest.approx(model.vertices(faces[0].fit.shape), abs=1e-6)
    assert (triangles["n"] == 3).all()
    assert np.array_equal(triangles["corners"], surface.whole(model).mesh.triangles)
    front = surface.skin(model).vertices
    front = front[(xyz[front, 2] > -0.02) & (np.abs(xyz[front, 0]) < 0.04)]
    colors = np.column_stack([vertices[name] for name in ("blue", "green", "red")])
    assert np.median(np.abs(colors[front] - paint(model)[front] * 255)) < 3, "levels"


def test_files_of_several_faces_have_the_ids_in_their_names(model, tmp_path: Path) -> None:
    frame, faces = scene(model, "f3", "f7")
    files = export_faces("ply", tmp_path / "two.people.jpg", frame, faces, model)
    assert [file.name for file in files] == ["two.people_f3.ply", "two.people_f7.ply"]


def test_export_without_faces_writes_no_file(model, tmp_path: Path) -> None:
    frame, _ = scene(model, "f1")
    assert export_faces("obj", tmp_path / "empty.png", frame, [], model) == []
    assert list(tmp_path.iterdir()) == []


def test_export_of_a_sparse_model_or_without_uv_is_rejected(model, tmp_path: Path) -> None:
    frame, faces = scene(model, "f1")
    sparse = replace(model, triangles=np.zeros((0, 3), np.int32), name="3ddfa_v2")
    with pytest.raises(BundleError, match=r"an export to ply requires the dense face model.*bfm_noneck_v3\.pkl"):
        export_faces("ply", tmp_path / "x.png", frame, faces, sparse)
    with pytest.raises(BundleError, match="obj requires texture coordinates"):
        export_faces("obj", tmp_path / "x.png", frame, faces, replace(model, uv=np.zeros((0, 2), np.float32)))
