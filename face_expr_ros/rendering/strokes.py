"""Brow hair, drawn stroke by stroke on the skin, so that it moves with it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter

from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.fields import Fields
from face_expr_ros.rendering.head import HeadGeometry

_STROKES = 300
_SHIFT = 4  # fractional bits of the coordinates that cv2 draws with
# Offsets of the brow's middle line from the iBUG points, meters, and half its height, from the nose outwards.
_RAISE = np.array([0.0015, 0.0030, 0.0042, 0.0042, 0.0020])
_HALF_HEIGHT = np.array([0.0034, 0.0040, 0.0036, 0.0026, 0.0009])


def draw_brows(
    image: NDArray[np.uint8], geometry: HeadGeometry, field: Fields, look: Appearance, rng: np.random.Generator
) -> None:
    """Lays both brows over a texture (h, w, 4), in place."""
    to_texel = _texel_map(geometry, field)
    ink = np.zeros(image.shape[:2], np.uint8)
    for side in (1, -1):
        curve = _brow_curve(geometry, side)
        _soft_base(ink, curve, to_texel, look)
        for _ in range(int(_STROKES * look.brow_density)):
            _stroke(ink, curve, side, to_texel, look, rng)
    cover = (ink / np.float32(255))[..., None]
    color = np.array(look.hair, np.float32) * 0.62 + 3
    image[..., :3] = image[..., :3] + cover * (color - image[..., :3])
    image[..., 3] = image[..., 3] * (1 - 0.7 * cover[..., 0])


def _texel_map(geometry: HeadGeometry, field: Fields) -> LinearNDInterpolator:
    """From x, y of the mean face around the brows, meters, to texture pixels."""
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


def _at(curve: NDArray, along: float) -> NDArray:
    return along ** np.arange(3, -1, -1) @ curve


def _stroke(
    ink: NDArray[np.uint8], curve: NDArray, side: int, to_texel: LinearNDInterpolator, look: Appearance,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    along = float(rng.beta(1.25, 1.25))
    across = float(np.clip(rng.normal(0, 0.48), -1, 1))
    x, y, half = _at(curve, along)
    half *= look.brow_width
    # Near the nose hairs stand up, farther out they lie along the brow; upper and lower hairs meet in the middle.
    lean = np.radians(78 - 72 * min(1.0, along * 1.5)) - np.radians(24) * across * min(1.0, along * 2.2)
    lean += rng.normal(0, 0.12) - np.radians(26) * max(0.0, along - 0.55) / 0.45
    length = rng.uniform(0.0045, 0.0080) * (1 - 0.35 * along)
    root = np.array([x, y + across * half])
    steps = np.linspace(0, 1, 5)[:, None]
    bend = lean - 0.25 * steps[:, 0]
    path = root + length * steps * np.column_stack([side * np.cos(bend), np.sin(bend)])
    texels = to_texel(path)
    # Beyond the brow's own patch of skin the map is not continuous: such a hair would cross the forehead.
    if not np.isfinite(texels).all() or np.ptp(texels, axis=0).max() > 12 * length * ink.shape[1]:
        return
    strength = int(rng.uniform(70, 190) * (0.55 + 0.45 * min(1.0, along * 4)))
    thickness = 2 if ink.shape[1] >= 900 and rng.random() < 0.25 else 1
    layer = np.round(texels * (1 << _SHIFT)).astype(np.int32)
    _draw_line(ink, layer, strength, thickness)


def _draw_line(ink: NDArray[np.uint8], path: NDArray[np.int32], strength: int, thickness: int) -> None:
    """Adds one hair to the ink: overlapping hairs grow darker."""
    low = (path.min(axis=0) >> _SHIFT) - 3
    high = (path.max(axis=0) >> _SHIFT) + 4
    left, top = np.maximum(low, 0)
    window = ink[top : high[1], left : high[0]]
    hair = np.zeros(window.shape, np.uint8)
    moved = path - np.array([left, top]) * (1 << _SHIFT)
    cv2.polylines(hair, [moved], False, strength, thickness, cv2.LINE_AA, _SHIFT)
    window += ((255 - window.astype(np.uint16)) * hair // 255).astype(np.uint8)


def _soft_base(ink: NDArray[np.uint8], curve: NDArray, to_texel: LinearNDInterpolator, look: Appearance) -> None:
    """A soft shadow under the hairs."""
    places = [_at(curve, along) for along in np.linspace(0.06, 0.93, 24)]
    upper = [(x, y + 0.6 * half * look.brow_width) for x, y, half in places]
    lower = [(x, y - 0.6 * half * look.brow_width) for x, y, half in places]
    outline = to_texel(np.array(upper + lower[::-1]))
    if not np.isfinite(outline).all():
        return
    sigma = ink.shape[1] / 1024 * 8
    low = np.maximum(np.floor(outline.min(axis=0) - 4 * sigma), 0).astype(int)
    high = np.ceil(outline.max(axis=0) + 4 * sigma).astype(int)
    window = ink[low[1] : high[1], low[0] : high[0]]
    shadow = np.zeros(window.shape, np.uint8)
    strength = int(min(60 * look.brow_density, 130))
    cv2.fillPoly(shadow, [np.round(outline - low).astype(np.int32)], strength)
    window[:] = np.maximum(window, gaussian_filter(shadow, sigma))
