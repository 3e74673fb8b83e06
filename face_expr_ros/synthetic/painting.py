"""Procedural texture of a person: skin, lips, lids, brows, hair, eyes and teeth.

Positions are on the mean face in model axes, meters, so the texture fits the anatomy of every head shape and moves with
the skin.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from face_expr_ros.synthetic import fields, lids, strokes, wrinkles
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.beard import beard_coverage
from face_expr_ros.synthetic.fields import TextureFields
from face_expr_ros.synthetic.head import HeadGeometry
from face_expr_ros.synthetic.photo_details import paint_brows, paint_eye
from face_expr_ros.synthetic.photo_parts import PhotoParts

Float32 = NDArray[np.float32]

_TEETH = (196.0, 216.0, 226.0)
_MOUTH = (58.0, 52.0, 128.0)
_TONGUE = (112.0, 104.0, 190.0)
_REDNESS_TINT = (0.80, 0.76, 1.0)  # factors of full redness on blue, green and red
_LIP_TINT = (0.70, 0.60, 0.93)


@dataclass(frozen=True)
class Paint:
    """A texture and its mipmap levels, each half the size of the previous: (h, w, 4) uint8 BGR and gloss or opacity."""

    levels: tuple[NDArray[np.uint8], ...]

    def texture_for(self, texels_per_pixel: float) -> NDArray[np.uint8]:
        """The level closest to 1.5 texels per image pixel, a compromise between sharpness and aliasing."""
        level = int(np.clip(np.round(np.log2(max(texels_per_pixel, 1e-6) / 1.5)), 0, len(self.levels) - 1))
        return self.levels[level]


def paint_head(geometry: HeadGeometry, appearance: Appearance, photo: PhotoParts | None = None) -> Paint:
    """Paint the texture of a person with this appearance; photographs replace the parts that they show."""
    skin = None if photo is None else photo.skin.at_texels(geometry, appearance.skin)
    field = fields.texture_fields(geometry)
    rng = np.random.default_rng([appearance.seed, 5])
    colors = np.empty((len(field.position), 4), np.uint8)
    for block, block_fields in field.blocks():
        color = np.empty((4, len(block_fields.position)), np.float32)
        if skin is None:
            _paint_skin(color, block_fields, appearance)
        else:
            _copy_skin(color, block_fields, appearance, skin[block].T)
        _paint_over_skin(color, block_fields, appearance, photographed=photo is not None)
        _paint_mouth(color, block_fields)
        colors[block] = np.clip(color, 0, 255, out=color).T
    image = geometry.texels.image(colors)
    if appearance.blemishes > 0:
        _paint_spots(image, geometry, appearance)
    _paint_cloth(image, geometry, appearance, rng)
    if photo is not None and photo.brows is not None:
        paint_brows(image, geometry, photo.brows, appearance)
    else:
        strokes.draw_brows(image, geometry, appearance, rng)
    if photo is not None and photo.eyes is not None:
        left, top, side = (int(v) for v in np.round(geometry.layout.tiles[0] * image.shape[1]))
        image[top : top + side, left : left + side] = paint_eye(side, photo.eyes, appearance)
    else:
        _paint_eye(image, geometry, appearance, rng)
    _paint_lashes(image, geometry, appearance, rng)
    geometry.fringe.fill(image)
    return Paint(_mipmap_levels(image))


def _column(values: ArrayLike) -> Float32:
    """Blue, green and red as (3, 1), to broadcast with values (n,) of n texels."""
    return np.asarray(values, np.float32).reshape(3, 1)


def _subtract_color(tone: Float32, amount: Float32, color: tuple[float, float, float]) -> None:
    """Multiply the tone (3, n) by 1 - amount (n,) * color, in place."""
    if amount.any():
        tone *= 1 - amount * _column(color)


def _paint_skin(color: Float32, field: TextureFields, appearance: Appearance) -> None:
    base = _column(appearance.skin)
    dark = 1.0 - float(base.mean()) / 255.0
    tone = 1 + np.float32(0.026) * field.grain + field.mottle * _column((0.0154, 0.0161, 0.0098))
    red = appearance.redness * (0.70 * field.cheeks + 0.50 * field.nose_tip + 0.50 * field.ears + 0.3 * field.chin)
    _subtract_color(tone, np.clip(red, 0, 1.2), (1 - _REDNESS_TINT[0], 1 - _REDNESS_TINT[1], 1 - _REDNESS_TINT[2]))
    _subtract_color(tone, (0.10 + 0.08 * dark) * field.under_eye, (0.8, 1.0, 0.9))
    _subtract_color(tone, 0.22 * field.lids, (0.9, 1.1, 0.75))
    _subtract_color(tone, 0.30 * appearance.freckles * field.freckles, (1.2, 1.0, 0.7))
    _subtract_color(tone, appearance.stubble * field.beard * (0.26 + 0.30 * field.dots), (1.0, 1.0, 1.0))
    _paint_age(tone, field, appearance)
    lips = field.lips * (0.35 + 0.65 * appearance.lip_color) * (1 + 0.16 * field.lip_lines)
    _subtract_color(tone, lips, (1 - _LIP_TINT[0], 1 - _LIP_TINT[1], 1 - _LIP_TINT[2]))
    _subtract_color(tone, field.lip_gap, (0.70, 0.72, 0.55))
    _subtract_color(tone, field.lash_line, (0.80, 0.80, 0.76))
    _subtract_color(tone, 0.55 * field.nostrils, (1.1, 1.1, 0.9))
    np.multiply(tone, base, out=color[:3])
    color[3] = 255 * (0.40 + 0.16 * field.nose_tip + 0.10 * field.grain + 0.38 * field.lips - 0.2 * field.lash_line)


def _copy_skin(color: Float32, field: TextureFields, appearance: Appearance, skin: Float32) -> None:
    """A photographed skin (3, n), which includes pores, lips and lids."""
    tone = np.ones_like(skin)
    red = 0.5 * (appearance.redness - 0.5) * (0.70 * field.cheeks + 0.50 * field.nose_tip + 0.50 * field.ears)
    _subtract_color(tone, np.clip(red, 0, 1), (1 - _REDNESS_TINT[0], 1 - _REDNESS_TINT[1], 1 - _REDNESS_TINT[2]))
    _subtract_color(tone, 0.30 * appearance.freckles * field.freckles, (1.2, 1.0, 0.7))
    _subtract_color(tone, appearance.stubble * field.beard * (0.26 + 0.30 * field.dots), (1.0, 1.0, 1.0))
    _subtract_color(tone, 0.5 * field.lip_gap, (0.70, 0.72, 0.55))
    _subtract_color(tone, 0.6 * field.lash_line, (0.80, 0.80, 0.76))
    _paint_age(tone, field, appearance)
    np.multiply(tone, skin, out=color[:3])
    color[3] = 255 * (0.34 + 0.16 * field.nose_tip + 0.06 * field.grain + 0.30 * field.lips - 0.2 * field.lash_line)


def _paint_over_skin(color: Float32, field: TextureFields, appearance: Appearance, *, photographed: bool) -> None:
    """Make-up, beard, hair and clothes."""
    _paint_makeup(color, field, appearance)
    color[3] *= np.float32(appearance.gloss)
    _paint_beard(color, field, appearance)
    _paint_hair(color, field, appearance)
    edge = (field.smooth_garment, field.smooth_collar) if photographed else (field.garment, field.collar)
    _paint_garment(color, field, appearance, *edge)


def _paint_age(tone: Float32, field: TextureFields, appearance: Appearance) -> None:
    """Wrinkles of the forehead, beside the eyes and from nose to mouth; dark skin below the eyes."""
    if appearance.wrinkles > 0:
        _subtract_color(
            tone,
            appearance.wrinkles * wrinkles.wrinkle_depth(field.position, appearance.seed) * field.part("skin"),
            (0.45, 0.40, 0.30),
        )
    _subtract_color(tone, 0.45 * appearance.eye_bags * field.under_eye, (0.8, 1.0, 0.85))


def _paint_spots(image: NDArray[np.uint8], geometry: HeadGeometry, appearance: Appearance) -> None:
    """Random moles and pimples on the face."""
    rng = np.random.default_rng([appearance.seed, 9])
    chosen = rng.choice(_face_texels(geometry), int(rng.integers(5, 24)))
    scale = geometry.face_texels / 45.0  # approximate texels per millimeter: the face's standard deviation is 45 mm
    for row, column in zip(geometry.texels.rows[chosen], geometry.texels.columns[chosen], strict=True):
        size, depth = max(rng.uniform(0.5, 1.5) * scale, 0.7), rng.uniform(0.2, 1.0) * appearance.blemishes
        reach = int(2 * size) + 1
        window = image[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1, :3]
        y, x = np.ogrid[: window.shape[0], : window.shape[1]]
        cover = depth * np.exp(-((x - min(reach, column)) ** 2 + (y - min(reach, row)) ** 2) / size**2)
        window[:] = window * (1 - cover[..., None] * np.array((0.55, 0.50, 0.28)))


@functools.lru_cache(maxsize=2)
def _face_texels(geometry: HeadGeometry) -> NDArray[np.intp]:
    """Indices of the texels of the face's skin."""
    field = fields.texture_fields(geometry)
    x, y, z = field.position.T
    return np.flatnonzero(field.part("skin") & (z > -0.06) & (np.abs(x) < 0.065) & (y > -0.11) & (y < 0.055))


def _paint_makeup(color: Float32, field: TextureFields, appearance: Appearance) -> None:
    for paint, cover in ((appearance.lipstick, 0.75 * field.lips), (appearance.eye_shadow, 0.6 * field.lids)):
        if paint is not None and cover.any():
            shade = (0.75 + 0.25 * np.clip(color[:3].mean(axis=0) / 160, 0, 1.3)) * _column(paint)
            color[:3] += cover * (shade - color[:3])


def _paint_beard(color: Float32, field: TextureFields, appearance: Appearance) -> None:
    if appearance.beard is None:
        return
    grown = (
        beard_coverage(field.position, appearance.beard) * (1 - np.clip(1.5 * field.lips, 0, 1)) * field.part("skin")
    )
    if not grown.any():
        return
    # Sparse hairs appear as dots, dense ones as a closed area; at the border of the beard they become sparse.
    hairs = np.clip(0.5 + 0.5 * field.grain, 0, 1)
    cover: Float32 = np.clip(
        appearance.beard.density * grown * (0.55 + 0.75 * grown) + 1.6 * (hairs - 0.55) * grown * (1 - 0.7 * grown),
        0,
        1,
    )
    cover = cover * np.float32(min(1.0, 0.35 + appearance.beard.density))
    tone = _column(appearance.hair) * (1 - appearance.beard.gray) + appearance.beard.gray * 150.0
    color[:3] += cover * (tone * (0.50 + 0.55 * hairs) - color[:3])
    color[3] += cover * (255 * 0.25 * hairs - color[3])


def _paint_hair(color: Float32, field: TextureFields, appearance: Appearance) -> None:
    grown = field.scalp(appearance.hairline)
    if appearance.baldness > 0:
        grown = grown * wrinkles.remaining_hair(field.position, appearance.baldness)
    if not grown.any():
        return
    # Hair becomes sparse towards the hairline, strand by strand.
    cover = np.clip(grown + 3.2 * (field.roots - 0.5) * grown * (1 - grown), 0, 1)
    color[:3] += cover * (_column(appearance.hair) * (0.55 + 0.85 * field.strands) - color[:3])
    color[3] += cover * (255 * (0.10 + 0.55 * field.strands**2) - color[3])


def _paint_garment(
    color: Float32, field: TextureFields, appearance: Appearance, garment: Float32, collar: Float32
) -> None:
    """A pullover with a ribbed collar over the lower end of the skin."""
    if not garment.any():
        return
    cloth = _column(appearance.clothes) * (1 + 0.05 * field.grain - 0.30 * collar)
    color[:3] += garment * (cloth - color[:3])
    color[3] *= 1 - 0.9 * garment


def _paint_cloth(
    image: NDArray[np.uint8], geometry: HeadGeometry, appearance: Appearance, rng: np.random.Generator
) -> None:
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[1] * image.shape[1]))
    weave = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 0.8)
    tile = np.array(appearance.clothes) * (1 + 0.10 * weave[..., None])
    image[top : top + side, left : left + side] = np.clip(np.dstack([tile, np.full((side, side), 10.0)]), 0, 255)


def _paint_mouth(color: Float32, field: TextureFields) -> None:
    for part, base, gloss in (("inner_mouth", _MOUTH, 0.35), ("tongue", _TONGUE, 0.5)):
        mask = field.part(part)
        color[:3, mask] = _column(base) * (1 + 0.06 * field.mottle[mask] + 0.05 * field.grain[mask])
        color[3, mask] = 255 * gloss
    mask = field.part("upper_teeth") | field.part("lower_teeth")
    color[:3, mask] = _column(_TEETH) * (1 - 0.42 * field.tooth_gaps[mask] * _column((1.0, 0.9, 0.8)))
    color[3, mask] = 255 * 0.7


def _paint_lashes(
    image: NDArray[np.uint8], geometry: HeadGeometry, appearance: Appearance, rng: np.random.Generator
) -> None:
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[2] * image.shape[1]))
    image[top : top + side, left : left + side, :3] = np.array(appearance.hair) * 0.25 + 4.0
    image[top : top + side, left : left + side, 3] = lids.lash_tile(side, appearance.lashes, rng)


def _paint_eye(
    image: NDArray[np.uint8], geometry: HeadGeometry, appearance: Appearance, rng: np.random.Generator
) -> None:
    """Sclera with faint veins, iris with fibers and a dark rim, and pupil, as functions of the angle from the axis."""
    columns, _ = geometry.layout.pixels(image.shape[1])
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[0] * columns))
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    angle, azimuth = np.hypot(x, y) * fields.EYE_FIELD, np.arctan2(y, x)
    veins = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 1.6)
    eye = np.array([214.0, 221.0, 226.0]) - np.clip(angle - 0.55, 0, 1)[..., None] * np.array([46, 50, 12])
    eye += veins[..., None] * np.array([3.0, 4.0, 0.5]) * np.clip(angle - 0.5, 0, 1)[..., None] * 6
    fibers = sum(
        np.sin(azimuth * n + rng.uniform(0, 6.28) + 2.0 * angle) * rng.uniform(0.4, 1) for n in (17, 29, 43, 61)
    )
    inner, rim = 0.195, 0.485
    depth = np.clip((angle - inner) / (rim - inner), 0, 1)
    iris = (
        np.array(appearance.iris) * (0.80 + 0.13 * fibers + 0.28 * np.exp(-(((depth - 0.28) / 0.22) ** 2)))[..., None]
    )
    iris *= (1 - 0.72 * np.clip((depth - 0.66) / 0.34, 0, 1) ** 1.5)[..., None]
    # The cornea focuses light from above on the lower half of the iris.
    iris *= (1 + 0.35 * np.clip(y / np.maximum(np.hypot(x, y), 1e-6), -1, 1) * depth)[..., None]
    soft = 1.4 * fields.EYE_FIELD / side * 2
    eye = _blend(eye, iris, np.clip((rim - angle) / (2 * soft) + 0.5, 0, 1))
    eye = _blend(eye, np.array([9.0, 9.0, 10.0]), np.clip((inner - angle) / (2 * soft) + 0.5, 0, 1))
    image[top : top + side, left : left + side, :3] = np.clip(eye, 0, 255)
    image[top : top + side, left : left + side, 3] = np.where(angle < 0.56, 255, 120)


def _blend(below: NDArray, above: NDArray, cover: NDArray) -> NDArray:
    return below + cover[..., None] * (above - below)


def _mipmap_levels(image: NDArray[np.uint8], smallest: int = 128) -> tuple[NDArray[np.uint8], ...]:
    levels = [np.ascontiguousarray(image)]
    while levels[-1].shape[1] // 2 >= smallest:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
    return tuple(levels)
