"""Takes as glTF, BVH and Live Link Face CSV: the files are read back with independent parsers."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from support.avatar_faces import TURNS, make_state

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import face_frame_quaternion
from face_expr_ros.core.takes import Take, TakeFrame
from face_expr_ros.drawing.take_glb import TEXTURE_WIDTH, write_glb
from face_expr_ros.drawing.uv_texture import texture_layout
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.serialization.take_motion import write_bvh, write_live_link
from face_expr_ros.serialization.takes import TakeError, read_take

PERIOD_NS = 33_333_333
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def make_take(*turns: str) -> Take:
    """A frame for each turn; the jaw opens by 0.1 per frame, and the head moves 1 cm to image right."""
    frames = []
    for number, turn in enumerate(turns):
        state = make_state(*TURNS[turn], position=(0.01 * number, 0.0, 0.6), jawOpen=0.1 * number)
        shape = np.zeros(0)
        frames.append(TakeFrame(number * PERIOD_NS, state.blendshapes, state.pose.rotation, state.pose.position, shape))
    return frames


class Glb:
    """The document and the arrays of a binary glTF file."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, size = struct.unpack_from("<4s2I", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.document: dict[str, Any] = json.loads(data[20 : 20 + length])
        binary_length, kind = struct.unpack_from("<I4s", data, 20 + length)
        assert kind == b"BIN\0"
        self._binary = data[28 + length :]
        assert len(self._binary) == binary_length == self.document["buffers"][0]["byteLength"]

    def view(self, index: int) -> bytes:
        view = self.document["bufferViews"][index]
        assert view["byteOffset"] % 4 == 0
        return self._binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    def array(self, index: int) -> NDArray[Any]:
        entry = self.document["accessors"][index]
        kind = {5126: "<f4", 5125: "<u4"}[entry["componentType"]]
        shape = (entry["count"], _WIDTHS[entry["type"]])
        if "bufferView" in entry:
            values = np.frombuffer(self.view(entry["bufferView"]), kind).reshape(shape)
        else:
            values = np.zeros(shape, kind)
            if "sparse" in entry:
                where = np.frombuffer(self.view(entry["sparse"]["indices"]["bufferView"]), "<u4")
                values[where] = np.frombuffer(self.view(entry["sparse"]["values"]["bufferView"]), kind).reshape(-1, 3)
        for bound, given in (("min", values.min(axis=0)), ("max", values.max(axis=0))):
            assert entry.get(bound, given.tolist()) == pytest.approx(given.tolist())
        return values


@pytest.fixture(scope="module")
def glb(model: MorphableModel, tmp_path_factory: pytest.TempPathFactory) -> Glb:
    rows = texture_layout(model, TEXTURE_WIDTH).under.shape[0]
    texture = np.full((rows, TEXTURE_WIDTH, 3), (10, 120, 240), np.uint8)
    path = tmp_path_factory.mktemp("take") / "take.glb"
    write_glb(path, make_take("left", "up", "tilt to the right"), model, texture)
    return Glb(path)


def test_the_glb_has_a_morph_target_for_each_arkit_name(glb: Glb, model: MorphableModel) -> None:
    mesh = glb.document["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(model.expression_names)
    assert set(ARKIT_NAMES) <= set(mesh["extras"]["targetNames"])
    (primitive,) = mesh["primitives"]
    assert len(primitive["targets"]) == len(mesh["weights"]) == len(model.expression)


def test_the_jaw_target_lowers_the_chin_as_the_model_does(glb: Glb, model: MorphableModel) -> None:
    (primitive,) = glb.document["meshes"][0]["primitives"]
    jaw = model.expression_names.index("jawOpen")
    moved = glb.array(primitive["targets"][jaw]["POSITION"])
    assert moved[:, 1].min() == pytest.approx(model.expression[jaw][:, 1].min(), abs=1e-6)


def test_every_vertex_has_a_position_a_unit_normal_and_a_texture_coordinate(glb: Glb) -> None:
    (primitive,) = glb.document["meshes"][0]["primitives"]
    positions, normals, uv = (glb.array(primitive["attributes"][name]) for name in ("POSITION", "NORMAL", "TEXCOORD_0"))
    assert len(positions) == len(normals) == len(uv)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
    assert uv.min() >= 0.0
    assert uv.max() <= 1.0
    triangles = glb.array(primitive["indices"])
    assert triangles.max() == len(positions) - 1
    assert len(triangles) % 3 == 0


def test_triangles_face_outwards(glb: Glb) -> None:
    (primitive,) = glb.document["meshes"][0]["primitives"]
    points, normals = (glb.array(primitive["attributes"][name]) for name in ("POSITION", "NORMAL"))
    corners = glb.array(primitive["indices"]).reshape(-1, 3)
    a, b, c = (points[corners[:, k]] for k in range(3))
    outward = np.einsum("tk,tk->t", np.cross(b - a, c - a), normals[corners[:, 0]])
    assert (outward >= 0).mean() > 0.98


def test_the_texture_is_embedded(glb: Glb) -> None:
    (image,) = glb.document["images"]
    pixels = cv2.imdecode(np.frombuffer(glb.view(image["bufferView"]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] == TEXTURE_WIDTH
    np.testing.assert_allclose(pixels[40, 40], (10, 120, 240), atol=4)
    assert glb.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0}


def test_the_animation_turns_the_head_and_opens_the_jaw(glb: Glb, model: MorphableModel) -> None:
    (animation,) = glb.document["animations"]
    tracks = {
        channel["target"]["path"]: glb.array(animation["samplers"][channel["sampler"]]["output"])
        for channel in animation["channels"]
    }
    turns = Rotation.from_quat(tracks["rotation"]).as_rotvec(degrees=True)
    np.testing.assert_allclose(turns, [[0, 30, 0], [-30, 0, 0], [0, 0, 30]], atol=1e-3)
    np.testing.assert_allclose(tracks["translation"], [[0, 0, 0], [0.01, 0, 0], [0.02, 0, 0]], atol=1e-6)
    weights = tracks["weights"].reshape(3, len(model.expression))
    np.testing.assert_allclose(weights[:, model.expression_names.index("jawOpen")], [0, 0.1, 0.2], atol=1e-6)
    times = glb.array(animation["samplers"][0]["input"]).ravel()
    np.testing.assert_allclose(times, [0, 1 / 30, 2 / 30], atol=1e-6)


def test_without_a_texture_the_parts_are_colored(model: MorphableModel, tmp_path: Path) -> None:
    write_glb(tmp_path / "take.glb", make_take("left"), model, None)
    read = Glb(tmp_path / "take.glb")
    (primitive,) = read.document["meshes"][0]["primitives"]
    assert "TEXCOORD_0" not in primitive["attributes"]
    assert len(np.unique(read.array(primitive["attributes"]["COLOR_0"]), axis=0)) >= 5  # skin, eyes, iris, teeth, mouth
    assert "images" not in read.document


def test_bvh_has_the_head_motion_in_degrees_and_centimeters(tmp_path: Path) -> None:
    write_bvh(tmp_path / "take.bvh", make_take("left", "left"), rate=30)
    text = (tmp_path / "take.bvh").read_text()
    assert "CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation" in text
    motion = text.split("Frame Time: 0.03333333\n")[1].split("\n")
    rows = np.array([[float(value) for value in row.split()] for row in motion if row])
    np.testing.assert_allclose(rows, [[0, 0, 0, 30, 0, 0], [1, 0, 0, 30, 0, 0]], atol=1e-3)


def test_bvh_of_a_single_frame_has_one_frame(tmp_path: Path) -> None:
    write_bvh(tmp_path / "take.bvh", make_take("up"))
    assert "Frames: 1\n" in (tmp_path / "take.bvh").read_text()


def page_json(take: Take, id: str = "f1") -> str:
    frames = [
        {
            "stamp": frame.stamp_ns * 1e-9,
            "faces": [
                {
                    "id": id,
                    "position": frame.position.tolist(),
                    "quaternion_xyzw": Rotation.from_matrix(frame.rotation).as_quat().tolist(),
                    "blendshapes": frame.blendshapes.values.tolist(),
                }
            ],
        }
        for frame in take
    ]
    head = {"format": "face_expr take", "version": 1, "model": "open", "blendshape_names": list(ARKIT_NAMES)}
    return json.dumps({**head, "frames": frames})


def video_lines(take: Take) -> str:
    lines = []
    for frame in take:
        pose = {
            "position": frame.position.tolist(),
            "quaternion_xyzw": face_frame_quaternion(frame.rotation).tolist(),
        }
        shapes = dict(zip(ARKIT_NAMES, frame.blendshapes.values.tolist(), strict=True))
        lines.append({"stamp": frame.stamp_ns * 1e-9, "faces": [{"id": "f1", "pose": pose, "blendshapes": shapes}]})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize(("name", "text"), [("take.json", page_json), ("video.jsonl", video_lines)])
def test_recordings_are_read_with_their_motion(tmp_path: Path, name: str, text: Any) -> None:
    take = make_take("left", "up", "tilt to the right")
    (tmp_path / name).write_text(text(take), encoding="utf-8")
    read = read_take(tmp_path / name)
    for given, expected in zip(read, take, strict=True):
        assert given.stamp_ns == pytest.approx(expected.stamp_ns, abs=1000)
        np.testing.assert_allclose(given.rotation, expected.rotation, atol=1e-6)
        np.testing.assert_allclose(given.blendshapes.values, expected.blendshapes.values)


def test_a_recording_becomes_a_live_link_csv(tmp_path: Path) -> None:
    (tmp_path / "take.json").write_text(page_json(make_take("left", "up")), encoding="utf-8")
    write_live_link(tmp_path / "take.csv", read_take(tmp_path / "take.json"))
    with (tmp_path / "take.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["HeadYaw"]) for row in rows] == pytest.approx([np.radians(30), 0.0], abs=1e-6)
    assert [row["Timecode"] for row in rows] == ["00:00:00:00.000", "00:00:00:01.999"]


@pytest.mark.parametrize(
    ("text", "face", "error"),
    [
        ("not json", "", "expected a take of the page as JSON, or JSON Lines"),
        ('{"stamp": 0, "faces": []}', "", "expected a face, found none"),
        (page_json([]), "", "expected a face, found none"),
        (page_json(make_take("left")), "f7", "expected one of the faces f1, got 'f7'"),
    ],
)
def test_what_is_no_take_is_refused(tmp_path: Path, text: str, face: str, error: str) -> None:
    (tmp_path / "take.json").write_text(text, encoding="utf-8")
    with pytest.raises(TakeError, match=error):
        read_take(tmp_path / "take.json", face)
