"""Avatar files: a triangle, a textured head with all 52 blendshapes, and VRM 0 and VRM 1 files."""

from __future__ import annotations

import json
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.models.bundle import open_face_model

FLOAT, UNSIGNED_INT = 5126, 5125  # component types of glTF
BONES = (
    "hips", "spine", "head", "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm", "rightLowerArm", "rightHand",
    "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
)  # fmt: skip
HEAD_HEIGHT = 1.5  # meters: height of the sellion, as in an avatar with a body
UP = np.array([0.0, 1.0, 0.0])
NECK = np.array([0.0, -0.09, -0.07])  # meters from the sellion to the rotation center of the head
TURNED = np.array([-1.0, 1.0, -1.0], np.float32)  # VRM 0 avatars face -z
LEFT_COLOR, RIGHT_COLOR = (0, 0, 255), (255, 0, 0)  # BGR of the texture on the subject's left and right


class Gltf:
    """Builder of a glTF document with one buffer."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._binary = b""

    def node(self, **entry: Any) -> int:
        """Add a node to the scene."""
        self.document["nodes"].append(entry)
        number = len(self.document["nodes"]) - 1
        self.document["scenes"][0]["nodes"].append(number)
        return number

    def view(self, data: bytes) -> int:
        self.document["bufferViews"].append({"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data)})
        self._binary += data + bytes(-len(data) % 4)
        return len(self.document["bufferViews"]) - 1

    def accessor(self, array: NDArray[Any]) -> int:
        """Numbers (n,) or vectors (n, k), as float32 or uint32."""
        whole = array.dtype.kind in "iu"
        entry = {
            "bufferView": self.view(array.astype("<u4" if whole else "<f4").tobytes()),
            "componentType": UNSIGNED_INT if whole else FLOAT,
            "count": len(array),
            "type": "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}",
        }
        if not whole:
            entry |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        self.document["accessors"].append(entry)
        return len(self.document["accessors"]) - 1

    def mesh(self, corners: NDArray[Any], moves: list[NDArray[Any]], **more: Any) -> int:
        """A mesh with morph targets; other arguments belong to the primitive, ``extras`` to the mesh."""
        extras = {"extras": more.pop("extras")} if "extras" in more else {}
        primitive = {"attributes": {"POSITION": self.accessor(corners), **more.pop("attributes", {})}, **more}
        primitive["targets"] = [{"POSITION": self.accessor(move)} for move in moves]
        self.document["meshes"].append({"primitives": [primitive], "weights": [0] * len(moves), **extras})
        return len(self.document["meshes"]) - 1

    def bytes(self) -> bytes:
        """The .glb file."""
        self.document["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self._binary)
        head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self._binary), b"BIN\0") + self._binary


def triangle() -> bytes:
    """One triangle whose only morph target is jawOpen."""
    gltf = Gltf()
    gltf.node(name="face", mesh=_triangle(gltf, extras={"targetNames": ["jawOpen"]}))
    return gltf.bytes()


def unknown_name() -> bytes:
    """The triangle with a morph target of an unknown name."""
    gltf = Gltf()
    gltf.node(name="face", mesh=_triangle(gltf, extras={"targetNames": ["frobnicate"]}))
    return gltf.bytes()


def vrm_triangle() -> bytes:
    """The triangle with the bones of a VRM 1 file and a custom expression that opens the jaw."""
    gltf = Gltf()
    face = gltf.node(name="face", mesh=_triangle(gltf))
    bones = {bone: {"node": gltf.node(name=bone, translation=[0, 0.1 * k, 0])} for k, bone in enumerate(BONES)}
    opens = {"morphTargetBinds": [{"node": face, "index": 0, "weight": 1.0}]}
    gltf.document["extensionsUsed"] = ["VRMC_vrm"]
    gltf.document["extensions"] = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {"name": "test", "authors": ["test"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
            "humanoid": {"humanBones": bones},
            "expressions": {"custom": {"jawOpen": opens}},
        }
    }
    return gltf.bytes()


def small_head() -> bytes:
    """A textured ellipsoid with three blendshapes: the compressed files in test/browser/data are made of it."""
    gltf = Gltf()
    across, around = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 9), np.linspace(0, 2 * np.pi, 16))
    unit = np.stack([np.sin(across) * np.cos(around), np.cos(across), np.sin(across) * np.sin(around)], -1).reshape(
        -1, 3
    )
    corners = np.arange(15 * 9).reshape(15, 9)[:, :-1].ravel()
    quads = np.stack([corners, corners + 9, corners + 10, corners, corners + 10, corners + 1], 1)
    side = np.where(unit[:, 0] > 0, 0.25, 0.75)
    low, left = np.clip(-unit[:, 1:2], 0, 1), np.clip(unit[:, :1], 0, 1)
    moves = [low * [0, -0.05, 0], left * [0, -0.02, 0], left * low * [0.02, 0.03, 0]]
    mesh = gltf.mesh(
        unit * [0.08, 0.11, 0.09],
        moves,
        attributes={
            "NORMAL": gltf.accessor(unit),
            "TEXCOORD_0": gltf.accessor(np.column_stack([side, np.full(len(side), 0.5)])),
        },
        indices=gltf.accessor(quads.ravel()),
        material=0,
        extras={"targetNames": ["jawOpen", "eyeBlinkLeft", "mouthSmileLeft"]},
    )
    _paint(gltf)
    gltf.node(name="Head", mesh=mesh)
    return gltf.bytes()


def textured_head() -> bytes:
    """The head of the open model with a texture and a morph target for each of the 52 blendshapes."""
    gltf = Gltf()
    gltf.node(name="Head", mesh=_head(gltf, ARKIT_NAMES), translation=[0, HEAD_HEIGHT, 0])
    return gltf.bytes()


def vrm0_head(perfect_sync: bool) -> bytes:
    """The textured head as VRM 0, with an expression for each of the 52 blendshapes or with presets only.

    Its morph targets have arbitrary names, and it is a child of a bone, as in real files.
    """
    gltf = Gltf()
    names = ARKIT_NAMES if perfect_sync else ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
    mesh = _head(gltf, names, facing=TURNED, anonymous=True)
    head = gltf.node(name="J_Bip_C_Head", translation=(HEAD_HEIGHT * UP + NECK * TURNED).tolist())
    face = gltf.node(name="Face", mesh=mesh, translation=(-NECK * TURNED).tolist())
    gltf.document["nodes"][head]["children"] = [face]
    gltf.document["scenes"][0]["nodes"].remove(face)
    bones = [{"bone": "head", "node": head}]
    bones += [{"bone": bone, "node": gltf.node(name=f"J_{bone}")} for bone in BONES if bone != "head"]
    presets = {"jawOpen": ("A", "a"), "eyeBlinkLeft": ("Blink_L", "blink_l"), "eyeBlinkRight": ("Blink_R", "blink_r")}
    groups = []
    for index, name in enumerate(names):
        label, preset = (name, "unknown") if perfect_sync else presets[name]
        binds = [{"mesh": mesh, "index": index, "weight": 100}]
        groups.append({"name": label, "presetName": preset, "binds": binds, "materialValues": []})
    gltf.document["extensionsUsed"] = ["VRM"]
    gltf.document["extensions"] = {
        "VRM": {
            "specVersion": "0.0",
            "meta": {"title": "test", "author": "test"},
            "humanoid": {"humanBones": bones},
            "blendShapeMaster": {"blendShapeGroups": groups},
        }
    }
    return gltf.bytes()


def vrm1_head(morphs: tuple[str, ...], presets: dict[str, tuple[str, ...]], *, anonymous: bool = False) -> bytes:
    """The textured head as VRM 1.

    Args:
        morphs: ARKit names of its morph targets.
        presets: name of a VRM preset -> the morph targets that it moves.
        anonymous: the morph targets have other names in the file.
    """
    gltf = Gltf()
    mesh = _head(gltf, morphs, anonymous=anonymous)
    neck = HEAD_HEIGHT * UP + NECK
    bones = {bone: gltf.node(name=f"J_{bone}") for bone in BONES if bone != "head"}
    bones["head"] = head = gltf.node(name="J_head", translation=neck.tolist())
    face = gltf.node(name="Face", mesh=mesh, translation=(-NECK).tolist())
    gltf.document["nodes"][head]["children"] = [face]
    gltf.document["scenes"][0]["nodes"].remove(face)
    expressions = {
        preset: {"morphTargetBinds": [{"node": face, "index": morphs.index(name), "weight": 1.0} for name in names]}
        for preset, names in presets.items()
    }
    gltf.document["extensionsUsed"] = ["VRMC_vrm"]
    gltf.document["extensions"] = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {"name": "test", "authors": ["test"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
            "humanoid": {"humanBones": {bone: {"node": node} for bone, node in bones.items()}},
            "expressions": {"preset": expressions},
        }
    }
    return gltf.bytes()


def named_in_accessors(prefix: str = "", suffix: str = "") -> bytes:
    """Two meshes whose 52 names are those of the accessors of their targets, with a prefix and a suffix."""
    gltf = Gltf()
    for name in ("Face", "Lashes"):
        mesh = _head(gltf, ARKIT_NAMES, anonymous=True)
        del gltf.document["meshes"][mesh]["extras"]
        for target, blendshape in zip(
            gltf.document["meshes"][mesh]["primitives"][0]["targets"], ARKIT_NAMES, strict=True
        ):
            gltf.document["accessors"][target["POSITION"]]["name"] = f"{prefix}{blendshape}{suffix}"
        gltf.node(name=name, mesh=mesh, translation=[0, HEAD_HEIGHT, 0])
    return gltf.bytes()


def ready_player_me_head() -> bytes:
    """Head and teeth as meshes of their own under rotated bones, with the names of Ready Player Me."""
    gltf = Gltf()
    half = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]  # bones of Blender's exporter have axes of their own
    meshes = [_head(gltf, ARKIT_NAMES), _head(gltf, ("jawOpen", "mouthSmileLeft"))]
    names = ("Wolf3D_Head", "Wolf3D_Teeth")
    back = [-half[0], 0.0, 0.0, half[3]]
    turned_back = np.array([-NECK[0], NECK[2], -NECK[1]])  # -NECK in the axes of the head bone
    faces = [
        gltf.node(name=name, mesh=mesh, rotation=back, translation=turned_back.tolist())
        for name, mesh in zip(names, meshes, strict=True)
    ]
    head = gltf.node(name="Head", children=faces, translation=[0, 0, 0])
    neck = gltf.node(name="Neck", children=[head], rotation=half, translation=(HEAD_HEIGHT * UP + NECK).tolist())
    gltf.document["scenes"][0]["nodes"] = [neck]
    return gltf.bytes()


def _paint(gltf: Gltf) -> None:
    """Add a material with a texture: red on one side and blue on the other."""
    picture = np.full((8, 16, 3), RIGHT_COLOR, np.uint8)
    picture[:, :8] = LEFT_COLOR
    image = gltf.view(cv2.imencode(".png", picture)[1].tobytes())
    gltf.document |= {
        "images": [{"bufferView": image, "mimeType": "image/png"}],
        "samplers": [{"magFilter": 9728, "minFilter": 9728}],
        "textures": [{"source": 0, "sampler": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0}}],
    }


def _triangle(gltf: Gltf, **more: Any) -> int:
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    moved = np.array([[0, -0.05, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    return gltf.mesh(corners, [moved], **more)


def _head(gltf: Gltf, names: tuple[str, ...], facing: Any = 1.0, anonymous: bool = False) -> int:
    """The mesh of the open model; the texture is red on one side and blue on the other."""
    model = open_face_model("open")
    index = [model.expression_names.index(name) for name in names]
    side = np.where(model.mean[:, 0] > 0, 0.25, 0.75)  # u: the left half of the texture is the subject's left
    _paint(gltf)
    return gltf.mesh(
        model.mean * facing,
        [model.expression[k] * facing for k in index],
        attributes={"TEXCOORD_0": gltf.accessor(np.column_stack([side, np.full(len(side), 0.5)]))},
        indices=gltf.accessor(model.triangles.ravel()),
        material=0,
        extras={"targetNames": [f"target{k}" for k in index] if anonymous else list(names)},
    )
