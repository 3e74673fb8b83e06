"""Anatomical masks and noise for each texel of the head's texture: lips, lids, cheeks, beard, strands of hair.

They are computed once for a model; painting combines them with the colors of an appearance.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from face_expr_ros.synthetic.eyes import FIELD as EYE_FIELD
from face_expr_ros.synthetic.head import HeadGeometry, scalp_weight
from face_expr_ros.synthetic.lids import lid_margins
from face_expr_ros.synthetic.masks import head_masks
from face_expr_ros.synthetic.smoothstep import smoothstep

__all__ = ["EYE_FIELD", "TextureFields", "texture_fields"]

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

_BETWEEN = 12  # points per edge of the cut
_COLLAR = 0.045  # meters from the cut to the edge of the collar
_CROWN = (0.0, 0.10, -0.125)
_LOWEST_HAIRLINE = -0.02  # meters; lower limit of the hairline offset
_BLOCK = 1 << 15  # texels per block; the fields of a block fit into a core's cache


@dataclass(frozen=True, eq=False)
class TextureFields:
    """Values for the N texels of `HeadGeometry.texels`; (N,) float32 in 0..1 unless stated otherwise.

    Attributes:
        position: (N, 3) position on the mean face, meters.
        part_names, parts: names of the mesh's parts, and (N,) index of each texel's part.
        grain, mottle: fine and coarse noise with zero mean.
    """

    position: Float32
    part_names: tuple[str, ...]
    parts: NDArray[np.uint8]
    lips: Float32
    lids: Float32
    ears: Float32
    cheeks: Float32
    nose_tip: Float32
    chin: Float32
    under_eye: Float32
    nostrils: Float32
    beard: Float32
    lash_line: Float32
    lip_gap: Float32
    lip_lines: Float32
    tooth_gaps: Float32
    grain: Float32
    mottle: Float32
    dots: Float32
    freckles: Float32
    strands: Float32
    roots: Float32
    garment: Float32
    collar: Float32
    smooth_garment: Float32
    smooth_collar: Float32

    def part(self, name: str) -> Bool:
        """(N,) whether each texel belongs to a part of the mesh."""
        belongs: Bool = self.parts == self.part_names.index(name)
        return belongs

    def blocks(self) -> Iterator[tuple[slice, TextureFields]]:
        """Iterate over blocks of texels: their slice and their fields.

        The data of a block stay in the processor's cache, and features that are absent from a block are skipped.
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "part_names"}
        for start in range(0, len(self.position), _BLOCK):
            block = slice(start, start + _BLOCK)
            yield block, replace(self, **{name: array[block] for name, array in arrays.items()})

    def scalp(self, hairline: float) -> Float32:
        """(N,) density of the scalp hair, with the forehead's hairline raised by `hairline` meters."""
        density = scalp_weight(self.position, hairline, 0.024)
        hairless = (self.ears > 0.3) | ~self.part("skin")
        return np.where(hairless, np.float32(0), density)


@functools.lru_cache(maxsize=2)
def texture_fields(geometry: HeadGeometry) -> TextureFields:
    """The fields of a head geometry, computed once."""
    model, texels = geometry.model, geometry.texels
    position = texels.interpolate(model.mean, model.triangles)
    parts = model.triangle_part[texels.triangle]
    lips, lids, ears = head_masks(texels.interpolate(model.uv, model.uv_triangles))
    grain, mottle, dots, freckles = _noise(texels)
    x, y, z = position.T
    skin = parts == model.part_names.index("skin")
    mouth = parts == model.part_names.index("inner_mouth")
    beard = smoothstep(-0.030 - 0.45 * np.abs(x) - y, 0.03) * smoothstep(z + 0.095, 0.04)
    beard = beard * smoothstep(y + 0.125, 0.02) * (1 - lips)
    return TextureFields(
        position, model.part_names, parts,
        lips * skin, lids * skin, ears * skin,
        _bump(position, (0.043, -0.036, -0.012), (0.020, 0.016, 0.03)),
        _bump(position, (0.0, -0.038, 0.016), (0.015, 0.011, 0.014)),
        _bump(position, (0.0, -0.104, -0.005), (0.016, 0.010, 0.03)),
        _bump(position, (0.027, -0.0135, -0.01), (0.014, 0.0045, 0.03)),
        _bump(position, (0.0068, -0.0455, 0.004), (0.0042, 0.0030, 0.0055)) ** 1.5,
        beard.astype(np.float32),
        _lash_line(geometry, position, skin), _lip_gap(geometry, position, skin | mouth),
        np.sin(x * 2 * np.pi / 0.0021 + 2.5 * np.sin(y * 400)).astype(np.float32),
        _tooth_gaps(position),
        grain, mottle, dots, freckles, *_strands(position),
        *_garment(position, geometry.model.mean[geometry.torso.border]), *_garment(position, _cut_line(geometry)),
    )  # fmt: skip


def _bump(position: Float32, center: tuple[float, float, float], size: tuple[float, float, float]) -> Float32:
    """A Gaussian spot on both sides of the face, cut off where it is below 1e-5."""
    x = np.abs(position[:, 0])
    near = np.flatnonzero(np.abs(position[:, 1] - np.float32(center[1])) < 3.5 * size[1])
    nearby = (x[near], position[near, 1], position[near, 2])
    squares = sum(((p - np.float32(c)) / np.float32(s)) ** 2 for p, c, s in zip(nearby, center, size, strict=True))
    spot = np.zeros(len(x), np.float32)
    spot[near] = np.exp(-squares)
    return spot


def _noise(texels: object) -> tuple[Float32, Float32, Float32, Float32]:
    rows, columns = texels.shape  # type: ignore[attr-defined]
    rng = np.random.default_rng(3)
    white = rng.standard_normal((rows, columns), np.float32)
    scale = columns / 1024

    def smooth(sigma: float) -> NDArray:
        # A broad blur is computed at a quarter of the resolution.
        step = 4 if sigma > 8 else 1
        source = cv2.resize(white, (columns // step, rows // step), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(source, (0, 0), max(sigma * scale / step, 0.5))
        soft = cv2.resize(soft / soft.std(), (columns, rows), interpolation=cv2.INTER_LINEAR)
        return soft[texels.rows, texels.columns]  # type: ignore[attr-defined]

    fine, middle, coarse = smooth(0.9), smooth(3.2), smooth(16.0)
    return (
        0.6 * fine + 0.4 * middle,
        coarse,
        np.clip(fine - 0.7, 0, 1).astype(np.float32),
        np.clip(middle - 1.35, 0, 1).astype(np.float32),
    )


def _lash_line(geometry: HeadGeometry, position: Float32, skin: Bool) -> Float32:
    """The dark line of lash roots along the lids, stronger on the upper lids."""
    margins = lid_margins(geometry.model)
    line = np.zeros(len(position), np.float32)
    near = np.flatnonzero(skin & (np.abs(position[:, 1]) < 0.02) & (position[:, 2] > -0.045))
    for number, width, strength in ((0, 0.0011, 0.95), (1, 0.0006, 0.40), (2, 0.0011, 0.95), (3, 0.0006, 0.40)):
        distance, _ = cKDTree(margins[number]).query(position[near], distance_upper_bound=0.006)
        line[near] = np.maximum(line[near], strength * np.exp(-((distance / width) ** 2)))
    return line


def _lip_gap(geometry: HeadGeometry, position: Float32, candidates: Bool) -> Float32:
    """The dark line where closed lips meet, along the inner lip points."""
    model = geometry.model
    inner = model.mean[model.landmarks68[[48, 60, 61, 62, 63, 64, 54]]]
    inner = inner[np.argsort(inner[:, 0])]
    x = np.linspace(inner[0, 0], inner[-1, 0], 80)
    line = np.column_stack([x, *(np.interp(x, inner[:, 0], inner[:, k]) for k in (1, 2))])
    gap = np.zeros(len(position), np.float32)
    near = np.flatnonzero(candidates & (np.abs(position[:, 1] + 0.072) < 0.02) & (np.abs(position[:, 0]) < 0.035))
    distance, _ = cKDTree(line).query(position[near], distance_upper_bound=0.01)
    gap[near] = np.exp(-((distance / 0.0016) ** 2))
    return gap


def _tooth_gaps(position: Float32) -> Float32:
    """Dark lines between the teeth, by the angle along the dental arch."""
    along = np.arctan2(position[:, 0], position[:, 2] + 0.05)
    phase = along / 0.19 + 0.5 * 0
    return np.exp(-(((phase - np.round(phase)) / 0.15) ** 2)).astype(np.float32)


def _strands(position: Float32) -> tuple[Float32, Float32]:
    """Hair strands from the crown as stretched noise in 0..1: locks with single hairs, and single hairs only."""
    scalp = np.flatnonzero(scalp_weight(position, _LOWEST_HAIRLINE, 0.024))
    x, y, z = (position[scalp, k] - np.float32(_CROWN[k]) for k in range(3))
    angle = np.arctan2(x, z + np.float32(0.35) * y) * np.float32(0.5 / np.pi) + np.float32(0.5)
    length = np.sqrt(x * x + y * y + z * z)
    rng = np.random.default_rng(9)
    fine = cv2.GaussianBlur(rng.standard_normal((64, 1024)).astype(np.float32), (0, 0), 1.1, sigmaY=3.0)
    broad = cv2.GaussianBlur(rng.standard_normal((64, 1024)).astype(np.float32), (0, 0), 7.0, sigmaY=6.0)
    fine, broad = fine / fine.std(), broad / broad.std()
    waved = angle + np.float32(0.006) * np.sin(length * np.float32(90))
    index = (waved * 1023).astype(np.int32) % 1024 + 1024 * ((length * np.float32(63 / 0.25)).astype(np.int32) % 64)
    values = np.zeros((2, len(position)), np.float32)
    for row, noise in zip(values, (0.5 + 0.22 * (0.7 * fine + 0.6 * broad), 0.5 + 0.25 * fine), strict=True):
        row[scalp] = np.clip(noise, 0, 1).astype(np.float32).ravel()[index]
    return values[0], values[1]


def _cut_line(geometry: HeadGeometry) -> Float32:
    """Points along the line where the model is cut, between its vertices as well."""
    corners = geometry.model.mean[geometry.torso.border]
    share = np.linspace(0, 1, _BETWEEN, endpoint=False)[:, None, None]
    points: Float32 = (corners + share * (np.roll(corners, -1, axis=0) - corners)).reshape(-1, 3).astype(np.float32)
    return points


def _garment(position: Float32, cut: NDArray) -> tuple[Float32, Float32]:
    """Coverage of the skin by the pullover, up to a few centimeters above the model's cut, and its collar's edge.

    Args:
        cut: points of the cut; an edge at a distance from the vertices only is scalloped.
    """
    low = np.flatnonzero(position[:, 1] < -0.11)
    distance = np.full(len(position), 1.0, np.float32)
    distance[low] = cKDTree(cut).query(position[low])[0]
    edge = _COLLAR - distance
    return smoothstep(edge + 0.0006, 0.0012).astype(np.float32), np.exp(-((np.maximum(edge, -1) / 0.0035) ** 2)).astype(
        np.float32
    )
