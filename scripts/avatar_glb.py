"""Writes avatars as .glb files."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from avatar_solids import Part, Points
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES

FLOAT, UINT16 = 5126, 5123  # component types of glTF
MIN_MOVE = 3e-4  # meters; smaller displacements are omitted
GRID = 2.0**-15  # meters to which positions are rounded: trailing zero bits are compressed well
LICENSE = "CC0-1.0, made by the project face_expr_ros"


class Glb:
    """Builder of a .glb file with one mesh."""

    def __init__(self) -> None:
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, int]] = []
        self.data = b""

    def view(self, data: bytes) -> int:
        """Append data; returns the index of its view."""
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)})
        self.data += data + bytes(-len(data) % 4)
        return len(self.views) - 1

    def accessor(self, array: NDArray[Any], target: int) -> int:
        """Append vectors as float32, or indices as uint16."""
        whole = array.dtype.kind in "iu"
        entry: dict[str, Any] = {
            "bufferView": self.view(array.astype("<u2").tobytes() if whole else rounded(array).tobytes()),
            "componentType": UINT16 if whole else FLOAT,
            "count": len(array),
            "type": "SCALAR" if whole else "VEC3",
        }
        self.views[-1]["target"] = target
        if not whole:
            entry |= limits(array)
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def sparse(self, moves: Points) -> int:
        """Append displacements, of which only those above MIN_MOVE are stored."""
        moved = np.flatnonzero(np.abs(moves).max(axis=1, initial=0.0) > MIN_MOVE)
        kept = np.zeros_like(moves)
        kept[moved] = moves[moved]
        entry: dict[str, Any] = {"componentType": FLOAT, "count": len(moves), "type": "VEC3", **limits(kept)}
        if len(moved):
            indices = {"bufferView": self.view(moved.astype("<u2").tobytes()), "componentType": UINT16}
            values = {"bufferView": self.view(rounded(kept[moved]).tobytes())}
            entry["sparse"] = {"count": len(moved), "indices": indices, "values": values}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def rounded(array: NDArray[Any]) -> NDArray[np.float32]:
    """Float32 multiples of GRID."""
    return (np.rint(array / GRID) * GRID).astype("<f4")


def limits(array: NDArray[Any]) -> dict[str, list[float]]:
    single = rounded(array)
    return {"min": single.min(axis=0).tolist(), "max": single.max(axis=0).tolist()}


def normals(points: Points, triangles: NDArray[np.int64]) -> Points:
    """(n, 3) unit normals; vertices at the same place share them, so that seams are not visible."""
    _, same = np.unique(points.round(6), axis=0, return_inverse=True)
    same = same.ravel()
    a, b, c = (points[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    total = np.zeros((same.max() + 1, 3))
    for k in range(3):
        np.add.at(total, same[triangles[:, k]], faces)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])[same]


def glb_bytes(name: str, parts: list[Part]) -> bytes:
    """The .glb file: one node, a primitive for the lit and one for the glowing parts."""
    glb, primitives, materials = Glb(), [], []
    for glow in (False, True):
        group = [part for part in parts if part.glow == glow]
        if group:
            primitives.append(primitive(glb, group, len(materials)))
            materials.append(material(glow))
    mesh = {"name": name, "primitives": primitives, "weights": [0.0] * 52, "extras": {"targetNames": list(ARKIT_NAMES)}}
    document = {
        "asset": {"version": "2.0", "generator": "face_expr_ros", "copyright": LICENSE},
        "extensionsUsed": ["KHR_materials_unlit"] if len(materials) > 1 else [],
        "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"name": name, "mesh": 0}], "meshes": [mesh],
        "materials": materials, "accessors": glb.accessors, "bufferViews": glb.views,
        "buffers": [{"byteLength": len(glb.data)}],
    }  # fmt: skip
    if not document["extensionsUsed"]:
        del document["extensionsUsed"]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(glb.data), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(glb.data), b"BIN\0") + glb.data


def material(glow: bool) -> dict[str, Any]:
    surface = {
        "name": "glow" if glow else "body",
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.45},
    }
    return surface | ({"extensions": {"KHR_materials_unlit": {}}} if glow else {})


def primitive(glb: Glb, parts: list[Part], index: int) -> dict[str, Any]:
    """The joined parts as a primitive of glTF."""
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    colors = np.concatenate([np.broadcast_to(part.color, part.points.shape) for part in parts])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)])
    points = np.concatenate([part.points for part in parts])
    shading = np.concatenate([normals(part.points, part.triangles) for part in parts])
    vertices, elements = 34962, 34963
    moves = (
        np.concatenate([part.moves.get(name, np.zeros_like(part.points)) for part in parts]) for name in ARKIT_NAMES
    )
    return {
        "attributes": {
            "POSITION": glb.accessor(points, vertices),
            "NORMAL": glb.accessor(shading, vertices),
            "COLOR_0": glb.accessor(np.clip(colors, 0, 1), vertices),
        },
        "indices": glb.accessor(triangles.ravel(), elements),
        "material": index,
        "targets": [{"POSITION": glb.sparse(move)} for move in moves],
    }
