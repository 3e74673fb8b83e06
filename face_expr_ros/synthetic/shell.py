"""The mean head as a support surface for hair and headwear, in cylindrical and polar coordinates.

Coordinates are an azimuth (radians, 0 is the front of the face, positive towards the subject's left) and a drop: 0 is
the crown and 1 the height of the center of the skull (polar angle 90 degrees); below that, a drop of one is ten
centimeters straight down.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.distance import cdist

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.synthetic.head import scalp_weight
from face_expr_ros.synthetic.masks import head_masks

Float32 = NDArray[np.float32]

MIDDLE = np.array([0.0, 0.035, -0.09])  # center of the skull, model axes, meters
DROP = 0.1  # meters straight down per drop of one, below the center of the skull
_COLUMNS, _STEPS, _STEP = 96, 64, 0.05  # table size in azimuth and drop, and the step between drops
_FINE = 5  # samples along a triangle's edge
_ANCHORS = 120
_STATIC_MOTION = 2.5e-3  # meters; maximum motion by any blendshape of skin that counts as static


@dataclass(frozen=True, eq=False)
class Shell:
    """Radius of the mean head.

    Attributes:
        radius: (azimuths, drops) distance of the skin from the skull's center (drop below 1) or from the vertical axis
            through it (above 1), meters, including the ears.
        skull: the same without the ears.
        hairline: (azimuths,) drop at which the scalp's hair ends.
    """

    radius: Float32
    skull: Float32
    hairline: Float32

    def points(self, azimuth: ArrayLike, drop: ArrayLike, above: ArrayLike, *, fall: float = 9.0,
               ears: bool = True) -> NDArray:  # fmt: skip
        """Points (..., 3) in model axes, `above` meters outside the skin.

        Args:
            fall: maximum decrease of the radius below the skull, meters per meter; 0 hangs straight down.
            ears: include the ears in the skin.
        """
        azimuth, drop, above = np.broadcast_arrays(azimuth, drop, above)
        table = _hanging(self.radius if ears else self.skull, fall)
        reach = _sample_table(table, azimuth, drop) + above
        angle = np.minimum(drop, 1.0) * np.pi / 2
        out = reach * np.sin(angle)
        height = reach * np.cos(angle) - np.maximum(drop - 1.0, 0.0) * DROP
        return np.stack([out * np.sin(azimuth), height, out * np.cos(azimuth)], axis=-1) + MIDDLE

    def hairline_at(self, azimuth: NDArray) -> NDArray:
        """The drop of the hairline at azimuths (...)."""
        grid = (np.arange(_COLUMNS + 1) + 0.5) / _COLUMNS * 2 * np.pi - np.pi
        wrapped = (azimuth - grid[0]) % (2 * np.pi) + grid[0]
        drop: NDArray = np.interp(wrapped, grid, np.append(self.hairline, self.hairline[0]))
        return drop


def drop_at(height: ArrayLike) -> NDArray:
    """The drop of a height y in model axes, meters, at or below the center of the skull."""
    return 1.0 + (MIDDLE[1] - np.asarray(height)) / DROP


def head_shell(model: MorphableModel) -> Shell:
    """The shell of a model's mean head, computed once for a model."""
    return _build_shell(ModelKey(model))


@functools.lru_cache(maxsize=2)
def _build_shell(key: ModelKey) -> Shell:
    model = key.model
    is_ear = np.zeros(len(model.mean), bool)
    is_ear[model.triangles.ravel()] = (head_masks(model.uv)[2] > 0.3)[model.uv_triangles.ravel()]
    skin = model.triangles[model.triangle_part == model.part_names.index("skin")]
    radius = _radius_table(model.mean, skin)
    skull = _radius_table(model.mean, skin[~is_ear[skin].any(axis=1)])
    azimuth = (np.arange(_COLUMNS) + 0.5) / _COLUMNS * 2 * np.pi - np.pi
    plain = Shell(radius, skull, np.zeros(_COLUMNS, np.float32))
    drop = np.linspace(0.3, 2.4, 85)
    density = scalp_weight(plain.points(azimuth[:, None], drop[None], 0.0, ears=False).reshape(-1, 3), 0.0)
    # The first drop below the crown at which the hair density is less than one half.
    line = drop[np.argmax(density.reshape(_COLUMNS, -1) < 0.5, axis=1)]
    return Shell(radius, skull, gaussian_filter(line, 1.0, mode="wrap").astype(np.float32))


def _radius_table(mean: NDArray, triangles: NDArray) -> Float32:
    """The largest radius of the skin in each cell of azimuth and drop, smoothed."""
    grid = np.array([(i, j) for i in range(_FINE) for j in range(_FINE - i)]) / (_FINE - 1)
    weights = np.column_stack([grid, 1 - grid.sum(axis=1)])
    x, y, z = (np.einsum("kc,tcd->tkd", weights, mean[triangles]).reshape(-1, 3) - MIDDLE).T
    flat = np.hypot(x, z)
    over = y > 0
    drop = np.where(over, np.arctan2(flat, y) / (np.pi / 2), 1.0 - y / DROP)
    reach = np.where(over, np.hypot(flat, y), flat)
    column = ((np.arctan2(x, z) + np.pi) / (2 * np.pi) * _COLUMNS).astype(int) % _COLUMNS
    row = np.minimum(np.round(drop / _STEP), _STEPS - 1).astype(int)
    table = np.zeros((_COLUMNS, _STEPS))
    np.maximum.at(table, (column, row), reach)
    table[:, :2] = reach[drop < 2 * _STEP].max()  # all azimuths meet at the crown
    for _ in range(12):
        around = [np.roll(table, 1, 0), np.roll(table, -1, 0), np.pad(table, ((0, 0), (1, 0)), mode="edge")[:, :-1]]
        table = np.where(table > 0, table, np.maximum.reduce(around))
    return gaussian_filter(table, (1.0, 0.6), mode=("wrap", "nearest")).astype(np.float32)


def _hanging(table: Float32, fall: float) -> Float32:
    if fall > 5.0:
        return table
    hung = table.copy()
    for row in range(round(1 / _STEP), _STEPS):
        hung[:, row] = np.maximum(table[:, row], hung[:, row - 1] - fall * _STEP * DROP)
    return hung


def _sample_table(table: Float32, azimuth: NDArray, drop: NDArray) -> NDArray:
    column = (azimuth + np.pi) / (2 * np.pi) * _COLUMNS - 0.5
    radius: NDArray = map_coordinates(
        table, [column % _COLUMNS, np.clip(drop / _STEP, 0, _STEPS - 1)], order=1, mode="grid-wrap"
    )
    return radius


@dataclass(frozen=True, eq=False)
class Anchors:
    """Vertices of the skin whose displacements move worn items.

    Attributes:
        vertices: (n,) vertex indices of the model; mean: (n, 3) their positions on the mean head, meters.
        solver: (n + 4, n) from displacements to the coefficients of the interpolation.
    """

    vertices: NDArray[np.intp]
    mean: NDArray
    solver: NDArray

    def weights(self, points: NDArray) -> Float32:
        """Weights (p, n) that interpolate the anchors' displacements at points (p, 3) near the mean head.

        Radial basis interpolation with an affine part (polyharmonic spline of order 1), exact at the anchors.
        """
        basis = np.hstack([cdist(points, self.mean), np.ones((len(points), 1)), points])
        weights: Float32 = (basis.astype(np.float32) @ self.solver.astype(np.float32)).astype(np.float32)
        return weights


def skin_anchors(model: MorphableModel, *, follows_expression: bool = False) -> Anchors:
    """Anchors on all of the skin, or without `follows_expression` only where no expression moves it."""
    return _build_anchors(ModelKey(model), follows_expression)


@functools.lru_cache(maxsize=4)
def _build_anchors(key: ModelKey, follows_expression: bool) -> Anchors:
    model = key.model
    motion = np.linalg.norm(model.expression, axis=2).max(axis=0)
    skin = model.vertex_part == model.part_names.index("skin")
    candidates = np.flatnonzero(skin & (follows_expression | (motion < _STATIC_MOTION)))
    chosen = _farthest_point_sampling(model.mean, candidates)
    points = model.mean[chosen].astype(np.float64)
    affine = np.column_stack([np.ones(len(points)), points])
    system = np.block([[cdist(points, points), affine], [affine.T, np.zeros((4, 4))]])
    return Anchors(chosen, points, np.linalg.inv(system)[:, : len(points)])


def _farthest_point_sampling(points: NDArray, candidates: NDArray[np.intp]) -> NDArray[np.intp]:
    """Select candidates far from each other: each one is the farthest from those before."""
    chosen = [candidates[np.argmin(np.linalg.norm(points[candidates], axis=1))]]
    distance = np.full(len(candidates), np.inf)
    for _ in range(_ANCHORS - 1):
        distance = np.minimum(distance, np.linalg.norm(points[candidates] - points[chosen[-1]], axis=1))
        chosen.append(candidates[np.argmax(distance)])
    return np.array(chosen)
