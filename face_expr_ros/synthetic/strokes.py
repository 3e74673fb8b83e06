"""Brow hair, drawn stroke by stroke on the skin, so that it moves with it."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.special import betaincinv

from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.fields import fields_of
from face_expr_ros.synthetic.head import HeadGeometry

_STROKES = 300
# What a hair's ink (second index) adds to the ink that is there (first index).
_DARKER = ((255 - np.arange(256))[:, None] * np.arange(256)[None] // 255).astype(np.uint8)
_SHIFT = 4  # fractional bits of the coordinates that cv2 draws with
# Offsets of the brow's middle line from the iBUG points, which lie on its upper edge, meters, and half its height, from
# the nose outwards.
_RAISE = np.array([0.0010, -0.0042, -0.0049, -0.0022, -0.0010])
_HALF_HEIGHT = np.array([0.0034, 0.0040, 0.0036, 0.0026, 0.0009])


def draw_brows(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance, rng: np.random.Generator) -> None:
    """Lays both brows over a texture (h, w, 4), in place."""
    to_texel = _texel_map(geometry)
    ink = np.zeros(image.shape[:2], np.uint8)
    for side in (1, -1):
        curve = _brow_curve(geometry, side)
        _soft_base(ink, curve, to_texel, look)
        _draw_hairs(ink, curve, side, to_texel, look, rng)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cover = (ink[window] / np.float32(255))[..., None]
    color = np.array(look.brows or look.hair, np.float32) * np.float32(0.62) + 3
    brows = image[window].astype(np.float32)
    brows[..., :3] += cover * (color - brows[..., :3])
    brows[..., 3] *= 1 - 0.7 * cover[..., 0]
    image[window] = brows


@functools.lru_cache(maxsize=2)
def _texel_map(geometry: HeadGeometry) -> LinearNDInterpolator:
    """From x, y of the mean face around the brows, meters, to texture pixels; computed once for a prepared head."""
    field = fields_of(geometry)
    x, y, z = field.position.T
    near = field.part("skin") & (y > 0.006) & (y < 0.04) & (np.abs(x) < 0.072) & (z > -0.055)
    chosen = np.flatnonzero(near)[:: max(1, int(near.sum() // 4000))]
    texels = geometry.texels
    return LinearNDInterpolator(
        field.position[chosen, :2], np.column_stack([texels.columns[chosen], texels.rows[chosen]])
    )


def _brow_curve(geometry: HeadGeometry, side: int) -> NDArray:
    """Cubics in the way along a brow, 0 at the nose to 1, for x, y and half height: (4, 3).

    A cubic through the five iBUG points, so that the brow has no corners; side is 1 for the subject's left.
    """
    order = [22, 23, 24, 25, 26] if side > 0 else [21, 20, 19, 18, 17]
    points = geometry.model.mean[geometry.model.landmarks68[order], :2].astype(np.float64)
    points[:, 1] += _RAISE
    points[0, 0] -= 0.002 * side
    return np.polyfit(np.linspace(0, 1, 5), np.column_stack([points, _HALF_HEIGHT]), 3)


def _at(curve: NDArray, along: NDArray) -> NDArray:
    """x, y and half height (n, 3) at places (n,) along a brow."""
    return along[:, None] ** np.arange(3, -1, -1) @ curve


def _draw_hairs(
    ink: NDArray[np.uint8], curve: NDArray, side: int, to_texel: LinearNDInterpolator, look: Appearance,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    count = int(_STROKES * look.brow_density)
    # One hair in each of as many equal parts of the distribution: by chance alone, some brows would have gaps.
    along = betaincinv(1.25, 1.25, (np.arange(count) + rng.random(count)) / count)
    across = np.clip(rng.normal(0, 0.48, count), -1, 1)
    x, y, half = _at(curve, along).T
    # Near the nose hairs stand up, farther out they lie along the brow; upper and lower hairs meet in the middle.
    lean = np.radians(78 - 72 * np.minimum(1.0, along * 1.5)) - np.radians(24) * across * np.minimum(1.0, along * 2.2)
    lean += rng.normal(0, 0.12, count) - np.radians(26) * np.maximum(0.0, along - 0.55) / 0.45
    length = rng.uniform(0.0045, 0.0080, count) * (1 - 0.35 * along)
    strength = (rng.uniform(70, 190, count) * (0.55 + 0.45 * np.minimum(1.0, along * 4))).astype(int)
    thickness = np.where((rng.random(count) < 0.25) & (ink.shape[1] >= 900), 2, 1)
    root = np.column_stack([x, y + across * half * look.brow_width])
    steps = np.linspace(0, 1, 5)
    bend = lean[:, None] - 0.25 * steps
    reach = length[:, None] * steps
    paths = root[:, None] + reach[..., None] * np.stack([side * np.cos(bend), np.sin(bend)], axis=-1)
    texels = to_texel(paths)
    # Beyond the brow's own patch of skin the map is not continuous: such a hair would cross the forehead.
    extent = np.ptp(texels, axis=1).max(axis=1)
    drawn = np.isfinite(texels).all(axis=(1, 2)) & (extent <= 12 * length * ink.shape[1])
    paths_drawn = np.round(texels[drawn] * (1 << _SHIFT)).astype(np.int32)
    low = np.maximum((paths_drawn.min(axis=1) >> _SHIFT) - 3, 0)
    high = (paths_drawn.max(axis=1) >> _SHIFT) + 4
    paths_drawn -= low[:, None] * (1 << _SHIFT)
    hairs = zip(
        paths_drawn, low.tolist(), high.tolist(), strength[drawn].tolist(), thickness[drawn].tolist(), strict=True
    )
    for path, (left, top), (right, bottom), dark, wide in hairs:
        _draw_line(ink[top:bottom, left:right], path, dark, wide)


def _draw_line(window: NDArray[np.uint8], path: NDArray[np.int32], strength: int, thickness: int) -> None:
    """Adds one hair to a window of the ink: overlapping hairs grow darker."""
    hair = np.zeros(window.shape, np.uint8)
    cv2.polylines(hair, [path], False, strength, thickness, cv2.LINE_AA, _SHIFT)
    window += _DARKER[window, hair]


def _soft_base(ink: NDArray[np.uint8], curve: NDArray, to_texel: LinearNDInterpolator, look: Appearance) -> None:
    """A soft shadow under the hairs."""
    x, y, half = _at(curve, np.linspace(0.06, 0.93, 24)).T
    rise = 0.6 * half * look.brow_width
    outline = to_texel(np.vstack([np.column_stack([x, y + rise]), np.column_stack([x, y - rise])[::-1]]))
    if not np.isfinite(outline).all():
        return
    sigma = ink.shape[1] / 1024 * 8
    low = np.maximum(np.floor(outline.min(axis=0) - 4 * sigma), 0).astype(int)
    high = np.ceil(outline.max(axis=0) + 4 * sigma).astype(int)
    window = ink[low[1] : high[1], low[0] : high[0]]
    shadow = np.zeros(window.shape, np.uint8)
    strength = int(min(60 * look.brow_density, 130))
    cv2.fillPoly(shadow, [np.round(outline - low).astype(np.int32)], strength)
    window[:] = np.maximum(window, cv2.GaussianBlur(shadow, (0, 0), sigma))
