"""Eyebrows, drawn hair by hair into the skin's texture."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.special import betaincinv

from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.fields import texture_fields
from face_expr_ros.synthetic.head import HeadGeometry

_HAIR_COUNT = 300
# Opacity added by a hair (second index) to the existing opacity (first index).
_DARKEN = ((255 - np.arange(256))[:, None] * np.arange(256)[None] // 255).astype(np.uint8)
_SHIFT = 4  # fractional bits of the coordinates passed to cv2
# Offset of the brow's center line from the iBUG points, which lie on its upper edge, and half its height, meters, from
# the nose outwards.
_RAISE = np.array([0.0010, -0.0042, -0.0049, -0.0022, -0.0010])
_HALF_HEIGHT = np.array([0.0034, 0.0040, 0.0036, 0.0026, 0.0009])


def draw_brows(
    image: NDArray[np.uint8], geometry: HeadGeometry, appearance: Appearance, rng: np.random.Generator
) -> None:
    """Draw both brows onto a texture (h, w, 4), in place."""
    to_texel = _texel_map(geometry)
    ink = np.zeros(image.shape[:2], np.uint8)
    for side in (1, -1):
        curve = _brow_curve(geometry, side)
        _draw_shadow(ink, curve, to_texel, appearance)
        _draw_hairs(ink, curve, side, to_texel, appearance, rng)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cover = (ink[window] / np.float32(255))[..., None]
    color = np.array(appearance.brows or appearance.hair, np.float32) * np.float32(0.62) + 3
    brows = image[window].astype(np.float32)
    brows[..., :3] += cover * (color - brows[..., :3])
    brows[..., 3] *= 1 - 0.7 * cover[..., 0]
    image[window] = brows


@functools.lru_cache(maxsize=2)
def _texel_map(geometry: HeadGeometry) -> LinearNDInterpolator:
    """Interpolator from x, y of the mean face around the brows, meters, to texels; computed once for a geometry."""
    field = texture_fields(geometry)
    x, y, z = field.position.T
    near = field.part("skin") & (y > 0.006) & (y < 0.04) & (np.abs(x) < 0.072) & (z > -0.055)
    chosen = np.flatnonzero(near)[:: max(1, int(near.sum() // 4000))]
    texels = geometry.texels
    return LinearNDInterpolator(
        field.position[chosen, :2], np.column_stack([texels.columns[chosen], texels.rows[chosen]])
    )


def _brow_curve(geometry: HeadGeometry, side: int) -> NDArray:
    """(4, 3) coefficients of cubics for x, y and half height along a brow, from 0 at the nose to 1.

    A cubic fit to the five iBUG points keeps the brow smooth; side is 1 for the subject's left, -1 for the right.
    """
    order = [22, 23, 24, 25, 26] if side > 0 else [21, 20, 19, 18, 17]
    points = geometry.model.mean[geometry.model.landmarks68[order], :2].astype(np.float64)
    points[:, 1] += _RAISE
    points[0, 0] -= 0.002 * side
    return np.polyfit(np.linspace(0, 1, 5), np.column_stack([points, _HALF_HEIGHT]), 3)


def _at(curve: NDArray, along: NDArray) -> NDArray:
    """x, y and half height (n, 3) at positions (n,) along a brow."""
    return along[:, None] ** np.arange(3, -1, -1) @ curve


def _draw_hairs(
    ink: NDArray[np.uint8], curve: NDArray, side: int, to_texel: LinearNDInterpolator, appearance: Appearance,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    count = int(_HAIR_COUNT * appearance.brow_density)
    # Stratified sampling along the brow: independent samples would leave gaps in some brows.
    along = betaincinv(1.25, 1.25, (np.arange(count) + rng.random(count)) / count)
    across = np.clip(rng.normal(0, 0.48, count), -1, 1)
    x, y, half = _at(curve, along).T
    # Hairs are upright near the nose and along the brow farther out; upper and lower hairs converge.
    lean = np.radians(78 - 72 * np.minimum(1.0, along * 1.5)) - np.radians(24) * across * np.minimum(1.0, along * 2.2)
    lean += rng.normal(0, 0.12, count) - np.radians(26) * np.maximum(0.0, along - 0.55) / 0.45
    length = rng.uniform(0.0045, 0.0080, count) * (1 - 0.35 * along)
    strength = (rng.uniform(70, 190, count) * (0.55 + 0.45 * np.minimum(1.0, along * 4))).astype(int)
    thickness = np.where((rng.random(count) < 0.25) & (ink.shape[1] >= 900), 2, 1)
    root = np.column_stack([x, y + across * half * appearance.brow_width])
    steps = np.linspace(0, 1, 5)
    bend = lean[:, None] - 0.25 * steps
    reach = length[:, None] * steps
    paths = root[:, None] + reach[..., None] * np.stack([side * np.cos(bend), np.sin(bend)], axis=-1)
    texels = to_texel(paths)
    # The texture map is discontinuous outside the brow's patch of skin: skip hairs that would cross the forehead.
    extent = np.ptp(texels, axis=1).max(axis=1)
    valid = np.isfinite(texels).all(axis=(1, 2)) & (extent <= 12 * length * ink.shape[1])
    valid_paths = np.round(texels[valid] * (1 << _SHIFT)).astype(np.int32)
    low = np.maximum((valid_paths.min(axis=1) >> _SHIFT) - 3, 0)
    high = (valid_paths.max(axis=1) >> _SHIFT) + 4
    valid_paths -= low[:, None] * (1 << _SHIFT)
    hairs = zip(
        valid_paths, low.tolist(), high.tolist(), strength[valid].tolist(), thickness[valid].tolist(), strict=True
    )
    for path, (left, top), (right, bottom), dark, wide in hairs:
        _draw_line(ink[top:bottom, left:right], path, dark, wide)


def _draw_line(window: NDArray[np.uint8], path: NDArray[np.int32], strength: int, thickness: int) -> None:
    """Add one hair to a window of the opacity; overlapping hairs become darker."""
    hair = np.zeros(window.shape, np.uint8)
    cv2.polylines(hair, [path], False, strength, thickness, cv2.LINE_AA, _SHIFT)
    window += _DARKEN[window, hair]


def _draw_shadow(
    ink: NDArray[np.uint8], curve: NDArray, to_texel: LinearNDInterpolator, appearance: Appearance
) -> None:
    """A soft shadow under the hairs."""
    x, y, half = _at(curve, np.linspace(0.06, 0.93, 24)).T
    rise = 0.6 * half * appearance.brow_width
    outline = to_texel(np.vstack([np.column_stack([x, y + rise]), np.column_stack([x, y - rise])[::-1]]))
    if not np.isfinite(outline).all():
        return
    sigma = ink.shape[1] / 1024 * 8
    low = np.maximum(np.floor(outline.min(axis=0) - 4 * sigma), 0).astype(int)
    high = np.ceil(outline.max(axis=0) + 4 * sigma).astype(int)
    window = ink[low[1] : high[1], low[0] : high[0]]
    shadow = np.zeros(window.shape, np.uint8)
    strength = int(min(60 * appearance.brow_density, 130))
    cv2.fillPoly(shadow, [np.round(outline - low).astype(np.int32)], strength)
    window[:] = np.maximum(window, cv2.GaussianBlur(shadow, (0, 0), sigma))
