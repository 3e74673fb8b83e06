"""Paints a person's texture: skin, lips, lids, brows, hair, eyes, teeth; all procedural, from a seed.

Places are given on the mean face in model axes, meters, so that paint sits on the same anatomy whatever the head's
shape, and moves with the skin when it moves.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from face_expr_ros.synthetic import fields, lids, strokes, wrinkles
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.beard import growth
from face_expr_ros.synthetic.fields import Fields
from face_expr_ros.synthetic.head import HeadGeometry

Float32 = NDArray[np.float32]

_TEETH = (196.0, 216.0, 226.0)
_MOUTH = (58.0, 52.0, 128.0)
_TONGUE = (112.0, 104.0, 190.0)
_BLOOD = (0.80, 0.76, 1.0)  # what redness leaves of blue, green and red
_LIP = (0.70, 0.60, 0.93)


@dataclass(frozen=True)
class Paint:
    """A texture and its reductions, each half as wide as the one before: (h, w, 4) uint8 BGR and gloss or opacity."""

    levels: tuple[NDArray[np.uint8], ...]

    def texture_for(self, texels_per_pixel: float) -> NDArray[np.uint8]:
        """The level that has nearest to one and a half texels for a pixel of the picture: sharp, yet calm."""
        level = int(np.clip(np.round(np.log2(max(texels_per_pixel, 1e-6) / 1.5)), 0, len(self.levels) - 1))
        return self.levels[level]


def paint_head(geometry: HeadGeometry, look: Appearance) -> Paint:
    """The texture of one person on one model."""
    field = fields.fields_of(geometry)
    rng = np.random.default_rng([look.seed, 5])
    colors = np.empty((len(field.position), 4), np.uint8)
    for block, here in field.blocks():
        color = np.empty((4, len(here.position)), np.float32)
        _paint_skin(color, here, look)
        _paint_mouth(color, here)
        colors[block] = np.clip(color, 0, 255, out=color).T
    image = geometry.texels.image(colors)
    if look.blemishes > 0:
        _paint_spots(image, geometry, look)
    _paint_cloth(image, geometry, look, rng)
    strokes.draw_brows(image, geometry, look, rng)
    _paint_eye(image, geometry, look, rng)
    _paint_lashes(image, geometry, look, rng)
    geometry.fringe.fill(image)
    return Paint(_reductions(image))


def _column(values: ArrayLike) -> Float32:
    """Blue, green and red (3, 1), to go with values (n,) of n texels."""
    return np.asarray(values, np.float32).reshape(3, 1)


def _stain(tone: Float32, amount: Float32, color: tuple[float, float, float]) -> None:
    """Takes a color's share from the tone (3, n), in place, where the amount (n,) is not 0."""
    if amount.any():
        tone *= 1 - amount * _column(color)


def _paint_skin(color: Float32, field: Fields, look: Appearance) -> None:
    base = _column(look.skin)
    dark = 1.0 - float(base.mean()) / 255.0
    tone = 1 + np.float32(0.026) * field.grain + field.mottle * _column((0.0154, 0.0161, 0.0098))
    red = look.redness * (0.70 * field.cheeks + 0.50 * field.nose_tip + 0.50 * field.ears + 0.3 * field.chin)
    _stain(tone, np.clip(red, 0, 1.2), (1 - _BLOOD[0], 1 - _BLOOD[1], 1 - _BLOOD[2]))
    _stain(tone, (0.10 + 0.08 * dark) * field.under_eye, (0.8, 1.0, 0.9))
    _stain(tone, 0.22 * field.lids, (0.9, 1.1, 0.75))
    _stain(tone, 0.30 * look.freckles * field.freckles, (1.2, 1.0, 0.7))
    _stain(tone, look.stubble * field.beard * (0.26 + 0.30 * field.dots), (1.0, 1.0, 1.0))
    _paint_age(tone, field, look)
    lips = field.lips * (0.35 + 0.65 * look.lip_color) * (1 + 0.16 * field.lip_lines)
    _stain(tone, lips, (1 - _LIP[0], 1 - _LIP[1], 1 - _LIP[2]))
    _stain(tone, field.lip_gap, (0.70, 0.72, 0.55))
    _stain(tone, field.lash_line, (0.80, 0.80, 0.76))
    _stain(tone, 0.55 * field.nostrils, (1.1, 1.1, 0.9))
    np.multiply(tone, base, out=color[:3])
    _paint_makeup(color, field, look)
    color[3] = 255 * (0.40 + 0.16 * field.nose_tip + 0.10 * field.grain + 0.38 * field.lips - 0.2 * field.lash_line)
    color[3] *= np.float32(look.gloss)
    _paint_beard(color, field, look)
    _paint_hair(color, field, look)
    _dress(color, field, look)


def _paint_age(tone: Float32, field: Fields, look: Appearance) -> None:
    """Lines across the forehead, beside the eyes and from nose to mouth; dark skin below the eyes."""
    if look.wrinkles > 0:
        _stain(tone, look.wrinkles * wrinkles.lines(field.position, look.seed) * field.part("skin"), (0.45, 0.40, 0.30))
    _stain(tone, 0.45 * look.eye_bags * field.under_eye, (0.8, 1.0, 0.85))


def _paint_spots(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance) -> None:
    """Moles and pimples, scattered over the face."""
    rng = np.random.default_rng([look.seed, 9])
    chosen = rng.choice(_face_texels(geometry), int(rng.integers(5, 24)))
    scale = geometry.face_texels / 45.0  # texels per millimeter, about: the spread of the face is 45 millimeters
    for row, column in zip(geometry.texels.rows[chosen], geometry.texels.columns[chosen], strict=True):
        size, depth = max(rng.uniform(0.5, 1.5) * scale, 0.7), rng.uniform(0.2, 1.0) * look.blemishes
        reach = int(2 * size) + 1
        window = image[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1, :3]
        y, x = np.ogrid[: window.shape[0], : window.shape[1]]
        cover = depth * np.exp(-((x - min(reach, column)) ** 2 + (y - min(reach, row)) ** 2) / size**2)
        window[:] = window * (1 - cover[..., None] * np.array((0.55, 0.50, 0.28)))


@functools.lru_cache(maxsize=2)
def _face_texels(geometry: HeadGeometry) -> NDArray[np.intp]:
    """The texels of the skin of the face."""
    field = fields.fields_of(geometry)
    x, y, z = field.position.T
    return np.flatnonzero(field.part("skin") & (z > -0.06) & (np.abs(x) < 0.065) & (y > -0.11) & (y < 0.055))


def _paint_makeup(color: Float32, field: Fields, look: Appearance) -> None:
    for paint, cover in ((look.lipstick, 0.75 * field.lips), (look.eye_shadow, 0.6 * field.lids)):
        if paint is not None and cover.any():
            shade = (0.75 + 0.25 * np.clip(color[:3].mean(axis=0) / 160, 0, 1.3)) * _column(paint)
            color[:3] += cover * (shade - color[:3])


def _paint_beard(color: Float32, field: Fields, look: Appearance) -> None:
    if look.beard is None:
        return
    grown = growth(field.position, look.beard) * (1 - np.clip(1.5 * field.lips, 0, 1)) * field.part("skin")
    if not grown.any():
        return
    # Few hairs are dots, many close up; at the border of the beard they thin out.
    hairs = np.clip(0.5 + 0.5 * field.grain, 0, 1)
    cover: Float32 = np.clip(
        look.beard.density * grown * (0.55 + 0.75 * grown) + 1.6 * (hairs - 0.55) * grown * (1 - 0.7 * grown), 0, 1
    )
    cover = cover * np.float32(min(1.0, 0.35 + look.beard.density))
    tone = _column(look.hair) * (1 - look.beard.gray) + look.beard.gray * 150.0
    color[:3] += cover * (tone * (0.50 + 0.55 * hairs) - color[:3])
    color[3] += cover * (255 * 0.25 * hairs - color[3])


def _paint_hair(color: Float32, field: Fields, look: Appearance) -> None:
    grown = field.scalp(look.hairline)
    if look.bald > 0:
        grown = grown * wrinkles.left_hair(field.position, look.bald)
    if not grown.any():
        return
    # Roots thin out towards the hairline, strand by strand.
    cover = np.clip(grown + 3.2 * (field.roots - 0.5) * grown * (1 - grown), 0, 1)
    color[:3] += cover * (_column(look.hair) * (0.55 + 0.85 * field.strands) - color[:3])
    color[3] += cover * (255 * (0.10 + 0.55 * field.strands**2) - color[3])


def _dress(color: Float32, field: Fields, look: Appearance) -> None:
    """A pullover with a ribbed collar over the lower end of the skin."""
    if not field.garment.any():
        return
    cloth = _column(look.clothes) * (1 + 0.05 * field.grain - 0.30 * field.collar)
    color[:3] += field.garment * (cloth - color[:3])
    color[3] *= 1 - 0.9 * field.garment


def _paint_cloth(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance, rng: np.random.Generator) -> None:
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[1] * image.shape[1]))
    weave = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 0.8)
    tile = np.array(look.clothes) * (1 + 0.10 * weave[..., None])
    image[top : top + side, left : left + side] = np.clip(np.dstack([tile, np.full((side, side), 10.0)]), 0, 255)


def _paint_mouth(color: Float32, field: Fields) -> None:
    for part, base, gloss in (("inner_mouth", _MOUTH, 0.35), ("tongue", _TONGUE, 0.5)):
        of = field.part(part)
        color[:3, of] = _column(base) * (1 + 0.06 * field.mottle[of] + 0.05 * field.grain[of])
        color[3, of] = 255 * gloss
    of = field.part("upper_teeth") | field.part("lower_teeth")
    color[:3, of] = _column(_TEETH) * (1 - 0.42 * field.tooth_gaps[of] * _column((1.0, 0.9, 0.8)))
    color[3, of] = 255 * 0.7


def _paint_lashes(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance, rng: np.random.Generator) -> None:
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[2] * image.shape[1]))
    image[top : top + side, left : left + side, :3] = np.array(look.hair) * 0.25 + 4.0
    image[top : top + side, left : left + side, 3] = lids.lash_tile(side, look.lashes, rng)


def _paint_eye(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance, rng: np.random.Generator) -> None:
    """Sclera with a hint of veins, iris with fibers and a dark rim, pupil; seen from in front, by angle."""
    columns, _ = geometry.layout.pixels(image.shape[1])
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[0] * columns))
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    angle, turn = np.hypot(x, y) * fields.EYE_FIELD, np.arctan2(y, x)
    veins = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 1.6)
    eye = np.array([214.0, 221.0, 226.0]) - np.clip(angle - 0.55, 0, 1)[..., None] * np.array([46, 50, 12])
    eye += veins[..., None] * np.array([3.0, 4.0, 0.5]) * np.clip(angle - 0.5, 0, 1)[..., None] * 6
    fibers = sum(np.sin(turn * n + rng.uniform(0, 6.28) + 2.0 * angle) * rng.uniform(0.4, 1) for n in (17, 29, 43, 61))
    inner, rim = 0.195, 0.485
    depth = np.clip((angle - inner) / (rim - inner), 0, 1)
    iris = np.array(look.iris) * (0.80 + 0.13 * fibers + 0.28 * np.exp(-(((depth - 0.28) / 0.22) ** 2)))[..., None]
    iris *= (1 - 0.72 * np.clip((depth - 0.66) / 0.34, 0, 1) ** 1.5)[..., None]
    # Light falls in from above and gathers in the lower half of the iris.
    iris *= (1 + 0.35 * np.clip(y / np.maximum(np.hypot(x, y), 1e-6), -1, 1) * depth)[..., None]
    soft = 1.4 * fields.EYE_FIELD / side * 2
    eye = _over(eye, iris, np.clip((rim - angle) / (2 * soft) + 0.5, 0, 1))
    eye = _over(eye, np.array([9.0, 9.0, 10.0]), np.clip((inner - angle) / (2 * soft) + 0.5, 0, 1))
    image[top : top + side, left : left + side, :3] = np.clip(eye, 0, 255)
    image[top : top + side, left : left + side, 3] = np.where(angle < 0.56, 255, 120)


def _over(below: NDArray, above: NDArray, cover: NDArray) -> NDArray:
    return below + cover[..., None] * (above - below)


def _reductions(image: NDArray[np.uint8], smallest: int = 128) -> tuple[NDArray[np.uint8], ...]:
    levels = [np.ascontiguousarray(image)]
    while levels[-1].shape[1] // 2 >= smallest:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
    return tuple(levels)
