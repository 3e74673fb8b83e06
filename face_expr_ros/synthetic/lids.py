"""Margins of the eyelids, and the lashes on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from face_expr_ros.core.face_model import MorphableModel

MARGIN_POINTS = 120
_LIDS = ((36, 37, 38, 39), (36, 41, 40, 39), (42, 43, 44, 45), (42, 47, 46, 45))  # iBUG points, by increasing x
_LOWER = np.array([False, True, False, True])


def lid_margins(model: MorphableModel) -> NDArray[np.float64]:
    """Points (4, n, 3) along the margins of the right upper, right lower, left upper and left lower lid, mean face.

    Each margin is a cubic in x through the iBUG points of the lid.
    """
    points = model.mean[model.landmarks68].astype(np.float64)
    return np.stack([_cubic(points[list(lid)]) for lid in _LIDS])


def _cubic(points: NDArray) -> NDArray[np.float64]:
    x = np.linspace(points[0, 0], points[-1, 0], MARGIN_POINTS)
    return np.column_stack([x, *(np.polyval(np.polyfit(points[:, 0], points[:, k], 3), x) for k in (1, 2))])


def lash_uv(model: MorphableModel) -> NDArray[np.float32]:
    """Texture coordinates (V, 2) in 0..1 for the lash vertices, 0 elsewhere: upper lashes in the upper half.

    u runs along the lid, v from the root to the tip.
    """
    lashes = model.part_vertices("eyelashes")
    found = [cKDTree(margin).query(model.mean[lashes]) for margin in lid_margins(model)]
    distance, nearest = (np.array(values) for values in zip(*found, strict=True))
    lid = np.argmin(distance, axis=0)
    along = nearest[lid, np.arange(len(lashes))] / (MARGIN_POINTS - 1)
    reach = np.clip(np.min(distance, axis=0) / np.where(_LOWER[lid], 0.0045, 0.0070), 0.0, 1.0)
    uv = np.zeros((len(model.mean), 2), np.float32)
    uv[lashes, 0] = 0.04 + 0.92 * along
    uv[lashes, 1] = np.where(_LOWER[lid], 0.5, 0.0) + 0.03 + 0.44 * reach
    return uv


def lash_tile(side: int, length: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Opacity (side, side) uint8 of lashes: the upper lid's in the upper half, the finer lower lid's in the lower."""
    scale = 4
    tile = np.zeros((side * scale, side * scale), np.uint8)
    for top, count, longest, strength in ((0.0, 46, 0.40, 255), (0.5, 30, 0.36, 120)):
        random = np.array([(rng.uniform(0.2, 0.8), rng.uniform(0.62, 1.0), rng.normal(0, 0.012)) for _ in range(count)])
        root = 0.04 + 0.92 * (np.arange(count) + random[:, 0]) / count
        reach, lean = longest * min(1.1, length) * random[:, 1], random[:, 2]
        steps = np.linspace(0, 1, 6)[:, None]
        paths = np.stack([root + lean * steps + 0.012 * np.sin(steps * 2), top + 0.02 + reach * steps], axis=-1)
        _draw_tapered(tile, paths * side * scale, strength, scale)
    return cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA)


def _draw_tapered(tile: NDArray[np.uint8], paths: NDArray, strength: int, scale: int) -> None:
    """Draw n lashes along paths (steps, n, 2), thickest at the root."""
    pixels = np.round(paths * 16).astype(np.int32)
    for step in range(len(paths) - 1):
        thickness = max(1, round(scale * 1.5 * (1 - step / (len(paths) - 1))))
        ends = list(np.ascontiguousarray(pixels[step : step + 2].transpose(1, 0, 2)))
        cv2.polylines(tile, ends, False, strength, thickness, cv2.LINE_AA, 4)
