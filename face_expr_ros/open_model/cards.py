"""Fits MakeHuman's card meshes (hair, brows, lashes, teeth) to the mean head: bfm/card_meshes.npz.

A fitting file (.mhclo) places every vertex of a card relative to three vertices of the base mesh hm08:
w1 v1 + w2 v2 + w3 v3 + offset, with the offset scaled by distances between named vertices, or on one vertex.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from face_expr_ros.core.face_model import MorphableModel

from .build import SCALE, leveling_turn
from .head import cut_head
from .makehuman import MakeHuman

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FOLDERS = ("hair", "eyebrows", "eyelashes", "teeth")
LEFT_OUT = ("bob01", "teeth_shape01", "teeth_shape02", "teeth_shape03", "teeth_shape04", "teeth_shape05")  # no texture
POINT_STEP = 3e-5  # meters
UV_STEP = 1 / 65535


@dataclass(frozen=True)
class Binding:
    """A fitting file.

    Attributes:
        corners: (n, 3) vertices of the base mesh; weights: (n, 3); offsets: (n, 3) decimeters.
        scales: for x, y and z, two vertices of the base mesh and the distance between them in the file's own mesh.
    """

    corners: IntArray
    weights: FloatArray
    offsets: FloatArray
    scales: tuple[tuple[int, int, float], ...]

    def points(self, base: FloatArray) -> FloatArray:
        """(n, 3) the card's vertices for vertices (V, 3) of the base mesh."""
        scale = np.array([abs(base[a, k] - base[b, k]) / d for k, (a, b, d) in enumerate(self.scales)] or [1.0] * 3)
        fitted: FloatArray = np.einsum("nc,nck->nk", self.weights, base[self.corners]) + self.offsets * scale
        return fitted


def read_binding(path: Path) -> Binding:
    """Read a fitting file.

    Raises:
        ValueError: the file has no vertices.
    """
    rows: list[list[float]] = []
    scales: dict[str, tuple[int, int, float]] = {}
    reading = False
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("x_scale", "y_scale", "z_scale"):
            scales[words[0]] = int(words[1]), int(words[2]), float(words[3])
        elif words[0] in ("verts", "weights", "delete_verts"):
            reading = words[0] == "verts"
        elif reading and words[0].isdecimal():  # other lines are properties such as the material
            values = [float(word) for word in words]
            rows.append(values if len(values) > 1 else [*values * 3, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    if not rows:
        raise ValueError(f"expected vertices after 'verts' in {str(path)!r}, got none")
    table = np.array(rows)
    in_order = tuple(scales[name] for name in ("x_scale", "y_scale", "z_scale") if name in scales)
    return Binding(table[:, :3].astype(np.int64), table[:, 3:6], table[:, 6:9], in_order)


def read_faces(path: Path) -> tuple[FloatArray, IntArray, IntArray]:
    """Texture coordinates (U, 2), v upwards, triangles (T, 3) and their texture triangles (T, 3) of an .obj file."""
    uv: list[list[float]] = []
    faces: list[tuple[list[int], list[int]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "vt":
            uv.append([float(word) for word in words[:2]])
        elif kind == "f":
            corners = [[int(index) - 1 for index in word.split("/")[:2]] for word in words]
            points, places = ([corner[k] for corner in corners] for k in (0, 1))
            faces += [
                ([points[0], *points[k : k + 2]], [places[0], *places[k : k + 2]]) for k in range(1, len(corners) - 1)
            ]
    triangles, uv_triangles = (np.array([face[k] for face in faces]) for k in (0, 1))
    return np.array(uv), triangles, uv_triangles


def card_arrays(data: MakeHuman, model: MorphableModel, meshes: Path) -> dict[str, NDArray[Any]]:
    """All arrays of the card file, for `face_model.write_arrays`; meshes is the folder with `FOLDERS`."""
    base = base_on_mean(data, model)
    turn = leveling_turn()
    origin = _origin(data, model)
    arrays: dict[str, NDArray[Any]] = {
        "point_step": np.array(POINT_STEP, np.float32), "uv_step": np.array(UV_STEP, np.float32)
    }  # fmt: skip
    for name, path in _fitting_files(meshes):
        binding = read_binding(path)
        points = (binding.points(base) * SCALE) @ turn.T + origin
        uv, triangles, uv_triangles = read_faces(path.with_suffix(".obj"))
        arrays[f"{name}/points"] = np.round(points / POINT_STEP).astype(np.int16)
        if name.startswith("teeth/"):
            upper = np.unique(data.base.quads[data.base.quad_groups == "helper-upper-teeth"])
            arrays[f"{name}/upper"] = np.isin(binding.corners, upper).all(axis=1)
        arrays[f"{name}/triangles"] = triangles.astype(np.uint16)
        arrays[f"{name}/uv"] = np.round(np.clip(uv, 0, 1) / UV_STEP).astype(np.uint16)
        arrays[f"{name}/uv_triangles"] = uv_triangles.astype(np.uint16)
    return arrays


def base_on_mean(data: MakeHuman, model: MorphableModel) -> FloatArray:
    """The base mesh (V, 3), decimeters in MakeHuman's axes, deformed so that its head is the model's mean.

    Vertices outside the head follow by radial basis interpolation of the head's displacements.
    """
    vertices = cut_head(data.base, data.mirror()).vertices
    mean = (model.mean.astype(np.float64) - _origin(data, model)) @ leveling_turn() / SCALE
    moved = data.base.vertices.copy()
    others = np.setdiff1d(np.arange(len(moved)), vertices)
    skin = vertices[model.vertex_part == model.part_names.index("skin")][::6]
    displaced = RBFInterpolator(
        moved[skin], mean[np.searchsorted(vertices, skin)] - moved[skin], kernel="linear", degree=1, smoothing=1e-3
    )  # fmt: skip
    moved[others] += displaced(moved[others])
    moved[vertices] = mean
    return moved


def _origin(data: MakeHuman, model: MorphableModel) -> FloatArray:
    """(3,) meters from the base mesh's origin to the model's: the mean of the skin stays in place."""
    vertices = cut_head(data.base, data.mirror()).vertices
    turned = (data.base.vertices[vertices] * SCALE) @ leveling_turn().T
    offset: FloatArray = (model.mean - turned).mean(axis=0)
    return offset


def _fitting_files(meshes: Path) -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        for path in sorted((meshes / folder).glob("*/*.mhclo")):
            if path.stem not in LEFT_OUT:
                yield f"{folder}/{path.stem}", path
