"""Photographed irises and brows, copied into a person's texture."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from face_expr_ros.drawing.atlas import barycentric
from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic import fields
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.card_meshes import card_mesh
from face_expr_ros.synthetic.head import HeadGeometry

Float32 = NDArray[np.float32]
Image = NDArray[np.uint8]

# MakeHuman's eye textures, as fractions of their side: center of one eye, radii of its pupil and its iris, and how far
# the radius grows per radian beyond the iris.
_CENTER, _PUPIL, _IRIS, _SCLERA = (0.2935, 0.7016), 0.0325, 0.1135, 0.195
_RIM = 0.485  # radians from the optical axis to the edge of the iris
_PUPILS = (0.13, 0.25)  # range of the angle to the edge of the pupil, radians
_TOWARDS_IRIS = 0.75  # of the way from the photograph's iris to the person's
_WHITE = np.array([201.0, 207.0, 214.0])  # of the sclera beside the iris
_BROW_DENSITY = 2.2  # exponent of the transparency of brows: reduction to few texels has thinned them
_BRIGHTEST_CORNEA, _SCLERA_GLOSS = 255.0, 60.0


@dataclass(frozen=True)
class BrowPhoto:
    """Photographed brows: the name of their mesh, such as ``eyebrows/eyebrow001``, and their texture with opacity."""

    mesh: str
    file: Path


def paint_eye(side: int, file: Path, appearance: Appearance) -> Float32:
    """(side, side, 4) blue, green, red and gloss of an eye seen from the front, as `fields.EYE_FIELD` lays it out."""
    image = _read(file)[..., :3]
    rng = np.random.default_rng([appearance.seed, 21])
    pupil = float(rng.uniform(*_PUPILS))
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    angle = np.hypot(x, y) * fields.EYE_FIELD
    radius = np.interp(angle, [0, pupil, _RIM, _RIM + 1], [0, _PUPIL, _IRIS, _IRIS + _SCLERA])
    toward = np.stack([x, y]) / np.maximum(np.hypot(x, y), 1e-9) * radius
    places = [((c + t) * len(image) - 0.5).astype(np.float32) for c, t in zip(_CENTER, toward, strict=True)]
    smooth = cv2.GaussianBlur(image, (0, 0), max(0.3 * len(image) * _SCLERA * fields.EYE_FIELD / side, 0.3))
    eye = cv2.remap(smooth, *places, cv2.INTER_LINEAR).astype(np.float32)
    in_iris = np.clip((_RIM - angle) / 0.03 + 0.5, 0, 1)[..., None]
    tone = eye[(angle > pupil + 0.08) & (angle < _RIM - 0.08)].mean(axis=0)
    white = eye[(angle > _RIM + 0.08) & (angle < _RIM + 0.3)].mean(axis=0)
    iris = eye * (np.array(appearance.iris) / tone) ** _TOWARDS_IRIS
    # The cornea focuses light from above on the lower half of the iris.
    depth = np.clip((angle - pupil) / (_RIM - pupil), 0, 1)
    iris *= (1 + 0.40 * np.clip(y / np.maximum(np.hypot(x, y), 1e-6), -1, 1) * depth)[..., None]
    eye = eye * (_WHITE / white) * (1 - in_iris) + in_iris * iris
    gloss = np.where(angle < 0.56, _BRIGHTEST_CORNEA, _SCLERA_GLOSS)
    return np.dstack([np.clip(eye, 0, 255), gloss]).astype(np.float32)


def paint_brows(image: Image, geometry: HeadGeometry, photo: BrowPhoto, appearance: Appearance) -> None:
    """Copy brows onto a texture (h, w, 4), in place."""
    rows, columns, opacity = _brow_texels(geometry, photo)
    cover = (1 - (1 - opacity) ** np.float32(_BROW_DENSITY * appearance.brow_density))[:, None]
    color = np.array(appearance.brows or appearance.hair, np.float32) * np.float32(0.55) + 3
    below = image[rows, columns].astype(np.float32)
    below[:, :3] += cover * (color - below[:, :3])
    below[:, 3] *= 1 - 0.7 * cover[:, 0]
    image[rows, columns] = below


@functools.lru_cache(maxsize=32)
def _brow_texels(geometry: HeadGeometry, photo: BrowPhoto) -> tuple[NDArray[np.intp], NDArray[np.intp], Float32]:
    """Rows and columns (n,) of the texels under the brows, and the opacity there."""
    mesh = card_mesh(photo.mesh)
    flat = _nearest_texels(geometry, mesh.points)
    points = np.column_stack([flat, np.ones(len(flat))]).astype(np.float32)
    height, width = geometry.texels.shape
    _, index = rasterizer.depth_map(points, mesh.triangles, width, height, cull=False)
    rows, columns = np.nonzero(index != rasterizer.EMPTY)
    found = index[rows, columns]
    weights = barycentric(points[mesh.triangles, :2], found, columns, rows)
    uv = np.einsum("nc,nck->nk", weights, mesh.uv[mesh.uv_triangles[found]])
    texture = _read(photo.file)[..., 3]
    step = np.sqrt(max(1.0, _span(mesh.uv) * texture.size / max(_span(flat), 1e-9)))
    soft = cv2.GaussianBlur(texture, (0, 0), max(0.35 * step, 0.3))
    x, y = (np.ascontiguousarray(uv[:, k], np.float32)[None] * n - 0.5 for k, n in ((0, soft.shape[1]), (1, len(soft))))
    parts = [cv2.remap(soft, x[:, at : at + 30_000], y[:, at : at + 30_000], cv2.INTER_LINEAR)[0]
             for at in range(0, x.shape[1], 30_000)]  # fmt: skip
    return rows, columns, np.concatenate(parts).astype(np.float32) / 255


def _nearest_texels(geometry: HeadGeometry, points: Float32) -> NDArray:
    """Columns and rows (n, 2) of the skin's texels that are nearest to points (n, 3) on the mean head."""
    field, texels = fields.texture_fields(geometry), geometry.texels
    low, high = points.min(axis=0) - 0.01, points.max(axis=0) + 0.01
    near = np.flatnonzero(field.part("skin") & ((field.position > low) & (field.position < high)).all(axis=1))
    distance, found = cKDTree(field.position[near]).query(points, k=3)
    weight = 1 / (distance + 1e-5)
    weight /= weight.sum(axis=1, keepdims=True)
    places = np.stack([texels.columns[near][found], texels.rows[near][found]], axis=-1)
    averaged: NDArray = (weight[..., None] * places).sum(axis=1)
    return averaged


def _span(points: NDArray) -> float:
    """Area of the bounding box of points (n, 2)."""
    return float(np.prod(points.max(axis=0) - points.min(axis=0)))


@functools.lru_cache(maxsize=32)
def _read(file: Path) -> Image:
    """(h, w, 4) an image with opacity.

    Raises:
        ValueError: the file is not such an image.
    """
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError(f"expected an image with opacity, got {str(file)!r}")
    return np.asarray(image, np.uint8)
