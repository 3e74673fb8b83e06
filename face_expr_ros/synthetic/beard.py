"""Beards: their coverage of the skin and their volume, which moves with the skin."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.synthetic.masks import head_masks
from face_expr_ros.synthetic.normals import corner_operator, vertex_normals
from face_expr_ros.synthetic.smoothstep import smoothstep
from face_expr_ros.synthetic.styles import Beard

Float32 = NDArray[np.float32]


def beard_coverage(points: NDArray, beard: Beard) -> Float32:
    """Density (n,) of a beard, 0..1, at points (n, 3) of the mean face's skin, without the lips; meters."""
    coverage = np.zeros(len(points), np.float32)
    lower_face = np.flatnonzero((points[:, 2] > -0.095) & (points[:, 1] < 0.03) & (points[:, 1] > -0.16))
    if len(lower_face):
        coverage[lower_face] = _coverage(points[lower_face], beard)
    return coverage


def _coverage(points: NDArray, beard: Beard) -> NDArray:
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    lip = smoothstep(-0.0475 - 0.10 * x - y, 0.006) * smoothstep(y + 0.0640 + 0.35 * x, 0.005)
    lip = lip * smoothstep(0.034 - x, 0.008)
    corner = smoothstep(0.036 - x, 0.010) * smoothstep(x - 0.020, 0.006) * smoothstep(-0.056 - y, 0.01)
    corner = corner * smoothstep(y + 0.105, 0.01)
    chin = smoothstep(0.034 - x, 0.010) * smoothstep(-0.086 - y, 0.008)
    jaw = smoothstep(-0.034 - 0.45 * x - y + 0.75 * np.maximum(x - 0.045, 0), 0.018) * smoothstep(z + 0.088, 0.02)
    jaw = jaw * smoothstep(x - 0.020 + 0.9 * np.maximum(-0.095 - y, 0), 0.012)
    sideburn = 0.85 * smoothstep(x - 0.058, 0.006) * smoothstep(z + 0.084, 0.012)
    sideburn = sideburn * smoothstep(-0.061 - z, 0.010) * smoothstep(0.030 - y, 0.01) * smoothstep(y + 0.075, 0.02)
    neck = smoothstep(y + 0.122 + 0.6 * np.maximum(-0.02 - z, 0), 0.012)
    parts = (lip * beard.mustache, corner * min(beard.mustache, beard.chin), chin * beard.chin, jaw * beard.cheeks)
    beard_parts = np.maximum.reduce(parts) * neck
    face = smoothstep(z + 0.095, 0.01)
    coverage: NDArray = np.maximum(beard_parts, sideburn * beard.sideburns) * face
    return coverage


@dataclass(frozen=True, eq=False)
class BeardVolume:
    """The offset of the surface by a beard.

    Attributes:
        vertices: (n,) affected vertices; height: (n, 1) offsets, meters.
        triangles, corners: the surface there and its `normals.corner_operator`, for normals.
    """

    vertices: NDArray[np.intp]
    height: Float32
    triangles: NDArray[np.int32]
    corners: csr_matrix

    def lift(self, surface: Float32) -> None:
        """Move the beard's vertices of a surface (V, 3) outwards, in place; a long beard also hangs down."""
        normals = vertex_normals(surface, self.triangles, self.corners)[self.vertices]
        normals[:, 1] -= np.minimum(25 * self.height[:, 0], 0.8)
        surface[self.vertices] += self.height * normals


def beard_volume(model: MorphableModel, beard: Beard) -> BeardVolume:
    """The volume of a beard on a model, computed once for each pair."""
    return _build_volume(ModelKey(model), beard)


@functools.lru_cache(maxsize=16)
def _build_volume(key: ModelKey, beard: Beard) -> BeardVolume:
    model = key.model
    skin = model.vertex_part == model.part_names.index("skin")
    coverage = beard_coverage(model.mean, beard) * (1 - _lips(key)) * skin
    # The hair is longest at the chin.
    x, y = np.abs(model.mean[:, 0]), model.mean[:, 1]
    length = 0.30 + 0.70 * smoothstep(0.055 - x, 0.04) * smoothstep(-0.075 - y, 0.03)
    clumps = np.random.default_rng(17).uniform(0.88, 1.08, len(coverage))
    height = (beard.length * coverage**1.5 * length * clumps).astype(np.float32)
    near = (height > 0)[model.triangles].any(axis=1)
    triangles = np.ascontiguousarray(model.triangles[near])
    vertices = np.flatnonzero(height > 0)
    return BeardVolume(vertices, height[vertices, None], triangles, corner_operator(triangles, len(height)))


@functools.lru_cache(maxsize=2)
def _lips(key: ModelKey) -> Float32:
    model = key.model
    lips = np.zeros(len(model.mean), np.float32)
    lips[model.triangles.ravel()] = head_masks(model.uv)[0][model.uv_triangles.ravel()]
    return np.clip(lips * 1.5, 0, 1)
