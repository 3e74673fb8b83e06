"""Meshes of hair, brows, lashes and teeth on the mean head, from MakeHuman's CC0 assets (`open_model.cards`)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.resources import resource_path

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

_FILE = "bfm/card_meshes.npz"


@dataclass(frozen=True, eq=False)
class CardMesh:
    """A mesh with a texture.

    Attributes:
        points: (n, 3) meters, model axes, on the mean head.
        triangles: (t, 3) indices into points; uv: (u, 2) texture coordinates, v downwards; uv_triangles: (t, 3).
    """

    points: Float32
    triangles: Int32
    uv: Float32
    uv_triangles: Int32


@functools.lru_cache(maxsize=64)
def card_mesh(name: str) -> CardMesh:
    """A mesh by its name, such as ``hair/short01``. Raises KeyError for an unknown name."""
    with np.load(resource_path(_FILE)) as file:
        points = file[f"{name}/points"].astype(np.float32) * file["point_step"]
        uv = file[f"{name}/uv"].astype(np.float32) * file["uv_step"]
        triangles, uv_triangles = (file[f"{name}/{key}"].astype(np.int32) for key in ("triangles", "uv_triangles"))
    return CardMesh(points, triangles, np.column_stack([uv[:, 0], 1 - uv[:, 1]]).astype(np.float32), uv_triangles)


@functools.cache
def upper_teeth(name: str) -> NDArray[np.bool_]:
    """(n,) whether each point of a mesh of teeth belongs to the upper jaw."""
    with np.load(resource_path(_FILE)) as file:
        upper: NDArray[np.bool_] = file[f"{name}/upper"]
    return upper


@functools.cache
def card_names(kind: str) -> tuple[str, ...]:
    """Names of all meshes of a kind: ``hair``, ``eyebrows``, ``eyelashes`` or ``teeth``."""
    with np.load(resource_path(_FILE)) as file:
        keys = [key for key in file.files if key.startswith(f"{kind}/") and key.endswith("/points")]
    return tuple(sorted(key.removesuffix("/points") for key in keys))
