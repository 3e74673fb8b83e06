"""Where a beard grows, how it covers the skin and how far it stands off it. It moves with the skin."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import corner_operator, vertex_normals
from face_expr_ros.synthetic.masks import head_masks
from face_expr_ros.synthetic.styles import Beard

Float32 = NDArray[np.float32]


def growth(points: NDArray, beard: Beard) -> Float32:
    """How thickly (0..1) a beard grows at points (n, 3) of the mean face's skin; the lips do not count as skin."""
    grown = np.zeros(len(points), np.float32)
    able = np.flatnonzero((points[:, 2] > -0.095) & (points[:, 1] < 0.03) & (points[:, 1] > -0.16))
    if len(able):
        grown[able] = _growth(points[able], beard)
    return grown


def _growth(points: NDArray, beard: Beard) -> NDArray:
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    lip = _ramp(-0.0475 - 0.10 * x - y, 0.006) * _ramp(y + 0.0640 + 0.35 * x, 0.005) * _ramp(0.034 - x, 0.008)
    corner = _ramp(0.036 - x, 0.010) * _ramp(x - 0.020, 0.006) * _ramp(-0.056 - y, 0.01) * _ramp(y + 0.105, 0.01)
    chin = _ramp(0.034 - x, 0.010) * _ramp(-0.086 - y, 0.008)
    jaw = _ramp(-0.034 - 0.45 * x - y + 0.75 * np.maximum(x - 0.045, 0), 0.018) * _ramp(z + 0.088, 0.02)
    jaw = jaw * _ramp(x - 0.020 + 0.9 * np.maximum(-0.095 - y, 0), 0.012)
    sideburn = (
        0.85 * _ramp(x - 0.058, 0.006) * _ramp(z + 0.084, 0.012) * _ramp(-0.061 - z, 0.010) * _ramp(0.030 - y, 0.01)
    )
    sideburn = sideburn * _ramp(y + 0.075, 0.02)
    neck = _ramp(y + 0.122 + 0.6 * np.maximum(-0.02 - z, 0), 0.012)
    parts = (lip * beard.mustache, corner * min(beard.mustache, beard.chin), chin * beard.chin, jaw * beard.cheeks)
    grown = np.maximum.reduce(parts) * neck
    face = _ramp(z + 0.095, 0.01)
    covered: NDArray = np.maximum(grown, sideburn * beard.sideburns) * face
    return covered


def _ramp(distance: NDArray, width: float) -> NDArray:
    t = np.clip(distance / width, 0.0, 1.0)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, eq=False)
class BeardVolume:
    """How a beard lifts the surface: vertices (n,), heights (n, 1) in meters, and what their normals need."""

    vertices: NDArray[np.intp]
    height: Float32
    triangles: NDArray[np.int32]
    corners: csr_matrix

    def lift(self, surface: Float32) -> None:
        """Moves the beard's vertices of a surface (V, 3) outwards, in place; a long beard hangs."""
        normals = vertex_normals(surface, self.triangles, self.corners)[self.vertices]
        normals[:, 1] -= np.minimum(25 * self.height[:, 0], 0.8)
        surface[self.vertices] += self.height * normals


def beard_volume(model: MorphableModel, beard: Beard) -> BeardVolume:
    """The volume of a beard on a model."""
    return _volume(ModelKey(model), beard)


@functools.lru_cache(maxsize=16)
def _volume(key: ModelKey, beard: Beard) -> BeardVolume:
    model = key.model
    grown = growth(model.mean, beard) * (1 - _lips(key)) * (model.vertex_part == model.part_names.index("skin"))
    # The chin's hair is the longest; what is clipped short stands off nowhere.
    x, y = np.abs(model.mean[:, 0]), model.mean[:, 1]
    longest = 0.30 + 0.70 * _ramp(0.055 - x, 0.04) * _ramp(-0.075 - y, 0.03)
    clumps = np.random.default_rng(17).uniform(0.88, 1.08, len(grown))
    height = (beard.length * grown**1.5 * longest * clumps).astype(np.float32)
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
