"""Paints a person's texture: skin, lips, lids, brows, hair, eyes, teeth; all procedural, from a seed.

Places are given on the mean face in model axes, meters, so that paint sits on the same anatomy whatever the head's
shape, and moves with the skin when it moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.rendering import fields, lids, strokes
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.fields import Fields
from face_expr_ros.rendering.head import HeadGeometry

Float32 = NDArray[np.float32]

_TEETH = np.array([196.0, 216.0, 226.0])
_MOUTH = np.array([58.0, 52.0, 128.0])
_TONGUE = np.array([112.0, 104.0, 190.0])
_BLOOD = np.array([0.80, 0.76, 1.0])  # what redness leaves of blue, green and red
_LIP = np.array([0.70, 0.60, 0.93])


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
    color = np.empty((len(field.position), 4), np.float32)
    _paint_skin(color, field, look)
    _paint_mouth(color, field)
    image = geometry.texels.image(np.clip(color, 0, 255).astype(np.uint8))
    _paint_cloth(image, geometry, look, rng)
    strokes.draw_brows(image, geometry, field, look, rng)
    _paint_eye(image, geometry, look, rng)
    _paint_lashes(image, geometry, look, rng)
    geometry.fringe.fill(image)
    return Paint(_reductions(image))


def _paint_skin(color: Float32, field: Fields, look: Appearance) -> None:
    base = np.array(look.skin, np.float32)
    dark = 1.0 - float(base.mean()) / 255.0
    tone = np.ones((len(color), 3), np.float32)
    tone *= 1 + 0.026 * field.grain[:, None] + 0.014 * field.mottle[:, None] * np.array([1.1, 1.15, 0.7], np.float32)
    red = (look.redness * (0.70 * field.cheeks + 0.50 * field.nose_tip + 0.50 * field.ears + 0.3 * field.chin))[:, None]
    tone *= 1 + np.clip(red, 0, 1.2) * (_BLOOD.astype(np.float32) - 1)
    tone *= 1 - (0.10 + 0.08 * dark) * field.under_eye[:, None] * np.array([0.8, 1.0, 0.9], np.float32)
    tone *= 1 - 0.22 * field.lids[:, None] * np.array([0.9, 1.1, 0.75], np.float32)
    tone *= 1 - 0.30 * look.freckles * field.freckles[:, None] * np.array([1.2, 1.0, 0.7], np.float32)
    tone *= 1 - look.stubble * field.beard[:, None] * (0.26 + 0.30 * field.dots[:, None])
    lips = field.lips[:, None] * (0.35 + 0.65 * look.lip_color)
    tone *= 1 + lips * (_LIP.astype(np.float32) - 1) * (1 + 0.16 * field.lip_lines[:, None])
    tone *= 1 - field.lip_gap[:, None] * np.array([0.70, 0.72, 0.55], np.float32)
    tone *= 1 - field.lash_line[:, None] * np.array([0.80, 0.80, 0.76], np.float32)
    tone *= 1 - 0.55 * field.nostrils[:, None] * np.array([1.1, 1.1, 0.9], np.float32)
    color[:, :3] = base * tone
    color[:, 3] = 255 * (0.40 + 0.16 * field.nose_tip + 0.10 * field.grain + 0.38 * field.lips - 0.2 * field.lash_line)
    _paint_hair(color, field, look)
    _dress(color, field, look)


def _paint_hair(color: Float32, field: Fields, look: Appearance) -> None:
    grown = field.scalp(look.hairline)
    # Roots thin out towards the hairline, strand by strand.
    cover = np.clip(grown + 3.2 * (field.roots - 0.5) * grown * (1 - grown), 0, 1)[:, None].astype(np.float32)
    hair = np.array(look.hair, np.float32) * (0.55 + 0.85 * field.strands[:, None])
    color[:, :3] += cover * (hair - color[:, :3])
    color[:, 3] += cover[:, 0] * (255 * (0.10 + 0.55 * field.strands**2) - color[:, 3])


def _dress(color: Float32, field: Fields, look: Appearance) -> None:
    """A pullover with a ribbed collar over the lower end of the skin."""
    cloth = np.array(look.clothes, np.float32) * (1 + 0.05 * field.grain[:, None] - 0.30 * field.collar[:, None])
    cover = field.garment[:, None]
    color[:, :3] += cover * (cloth - color[:, :3])
    color[:, 3] *= 1 - 0.9 * field.garment


def _paint_cloth(image: NDArray[np.uint8], geometry: HeadGeometry, look: Appearance, rng: np.random.Generator) -> None:
    left, top, side = (int(v) for v in np.round(geometry.layout.tiles[1] * image.shape[1]))
    weave = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 0.8)
    tile = np.array(look.clothes) * (1 + 0.10 * weave[..., None])
    image[top : top + side, left : left + side] = np.clip(np.dstack([tile, np.full((side, side), 10.0)]), 0, 255)


def _paint_mouth(color: Float32, field: Fields) -> None:
    for part, base, gloss in (("inner_mouth", _MOUTH, 0.35), ("tongue", _TONGUE, 0.5)):
        of = field.part(part)
        color[of, :3] = base * (1 + 0.06 * field.mottle[of, None] + 0.05 * field.grain[of, None])
        color[of, 3] = 255 * gloss
    of = field.part("upper_teeth") | field.part("lower_teeth")
    color[of, :3] = _TEETH * (1 - 0.42 * field.tooth_gaps[of, None] * np.array([1.0, 0.9, 0.8]))
    color[of, 3] = 255 * 0.7


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
