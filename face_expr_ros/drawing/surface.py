"""The fitted faces as surfaces in the image: where their vertices are, and one z-buffer for all of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import to_camera
from face_expr_ros.core.types import Camera, FaceFit, FloatArray
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import (
    Float32,
    bounding_box,
    corner_operator,
    facing_normals,
    fit_in_image,
    vertex_normals,
)
from face_expr_ros.kernels import rasterizer

LASHES = "eyelashes"  # planes with a see-through picture of hairs on them: no surface
_SKIN, _EYES = "skin", ("left_eyeball", "right_eyeball")
_JAW = slice(0, 9)  # iBUG points from the subject's right ear to the chin, from back to front
_UNDER_JAW = 0.010  # meters below the jaw line that still belong to the face
_BEFORE_EAR = 0.008  # meters before the jaw line's end that do not
_NEAREST = 0.05  # meters before the camera; a face that reaches nearer is not drawn
_TILE = 1 << 20  # pixels that are drawn at a time: 24 MB, whatever the size of the image


@dataclass(frozen=True)
class Surface:
    """Triangles of a face model that are drawn together.

    Attributes:
        mesh: for the rasterizer.
        picked: (n,) which of the model's triangles these are.
        corners: of its triangles, `projection.corner_operator`.
        vertices: (n,) the vertices that it uses.
    """

    mesh: rasterizer.Mesh
    picked: NDArray[np.intp]
    corners: csr_matrix
    vertices: NDArray[np.intp]


def skin(model: MorphableModel) -> Surface:
    """The front of the face's skin: eyes and mouth stay open. The whole model where it has no parts."""
    return _surface(ModelKey(model), (_SKIN,), True)


def front(model: MorphableModel) -> Surface:
    """The front of the face with eyes, teeth and all but the lashes."""
    return _surface(ModelKey(model), _solid(model), True)


def whole(model: MorphableModel) -> Surface:
    """Everything but the lashes."""
    return _surface(ModelKey(model), _solid(model), False)


def _solid(model: MorphableModel) -> tuple[str, ...]:
    return tuple(part for part in model.part_names if part != LASHES)


def is_seen(model: MorphableModel) -> NDArray[np.bool_]:
    """(T,) which triangles belong to skin and eyes, which are seen more often than the inside of a mouth."""
    return _in_parts(model, (_SKIN, *_EYES)) if model.part_names else np.ones(len(model.triangles), bool)


def _in_parts(model: MorphableModel, parts: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.isin(model.triangle_part, [model.part_names.index(part) for part in parts])


def is_front(model: MorphableModel) -> NDArray[np.bool_]:
    """(T,) which triangles of a head belong to its face: those before its ears and above the jaw line of iBUG."""
    if not model.part_names:
        return np.ones(len(model.triangles), bool)
    center = model.mean[model.triangles].mean(axis=1)
    jaw = model.mean[model.landmarks68[_JAW]]
    low = np.interp(center[:, 2], jaw[:, 2], jaw[:, 1]) - _UNDER_JAW
    return (center[:, 2] > jaw[0, 2] + _BEFORE_EAR) & (center[:, 1] > low)


@functools.lru_cache(maxsize=6)
def _surface(key: ModelKey, parts: tuple[str, ...], cut: bool) -> Surface:
    model = key.model
    wanted = is_front(model) if cut else np.ones(len(model.triangles), bool)
    if model.part_names:
        wanted &= _in_parts(model, parts)
    picked, size = np.flatnonzero(wanted), len(model.mean)
    triangles, count = model.triangles[picked], len(picked)
    mesh = rasterizer.Mesh(
        triangles, np.zeros((1, 2), np.float32), np.zeros((count, 3), np.int32), np.zeros(count, np.uint8), size
    )
    return Surface(mesh, picked, corner_operator(mesh.triangles, size), np.unique(mesh.triangles))


@dataclass(frozen=True)
class Placed:
    """A fitted face before the camera.

    Attributes:
        points: (V, 3) in the camera frame, meters.
        pixels: (V, 3) float32: x, y in image pixels, z in meters along the optical axis.
    """

    points: FloatArray
    pixels: Float32

    def normals(self, surface: Surface) -> Float32:
        """(V, 3) unit normals as seen along each vertex's own ray: (0, 0, -1) faces the camera."""
        normals = vertex_normals(self.points, surface.mesh.triangles, surface.corners)
        return facing_normals(normals, self.points)

    def facing(self, surface: Surface) -> Float32:
        """(V,) cosine of the angle between each vertex's normal and its ray to the viewer."""
        normals = self.normals(surface)
        length = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
        return np.asarray(-normals[:, 2] / length, np.float32)


def place(fit: FaceFit, model: MorphableModel, camera: Camera, height: int) -> Placed | None:
    """A face in an image of so many rows; None where it cannot be drawn: too near, behind the camera, not finite."""
    vertices = model.vertices(fit.shape, fit.expression)
    points = to_camera(vertices, fit.pose)
    if not np.isfinite(points).all() or (points[:, 2] <= _NEAREST).any():
        return None
    return Placed(points, fit_in_image(fit, vertices, model.landmarks68, camera, height))


def place_all(fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, height: int) -> list[Placed]:
    """Those of several faces that can be drawn."""
    placed = (place(fit, model, camera, height) for fit in fits)
    return [one for one in placed if one is not None]


@dataclass(frozen=True)
class Tile:
    """A part of the image with all faces in its z-buffer; the triangles of face n are numbered from n T.

    Attributes:
        target: one sample a pixel.
        window: rows and columns of the image.
        offset: (3,) to take off a vertex's pixels to have it in the target.
    """

    target: rasterizer.Target
    window: tuple[slice, slice]
    offset: Float32

    @property
    def depth(self) -> Float32:
        """(rows, columns) meters along the optical axis, inf where there is no face."""
        with np.errstate(divide="ignore"):
            return np.float32(1) / self.target.inverse_depth

    def sees(self, pixels: Float32) -> NDArray[np.bool_]:
        """Which points (n, 3) of `Placed.pixels` lie in this part of the image and behind no surface."""
        return rasterizer.visible_vertices(pixels - self.offset, self.depth)


def tiles(placed: Sequence[Placed], surface: Surface, width: int, height: int) -> Iterator[Tile]:
    """The part of an image that faces cover, piece by piece; a tile is good until the next one is asked for."""
    box = bounding_box([one.pixels[surface.vertices] for one in placed], width, height)
    if box is None:
        return
    left, top, right, bottom = box
    columns = min(right - left, _TILE)
    rows = max(1, _TILE // columns)
    target = None
    for low in range(top, bottom, rows):
        for first in range(left, right, columns):
            high, last = min(low + rows, bottom), min(first + columns, right)
            target = rasterizer.Target(last - first, high - low, samples=1, reuse=target)
            offset = np.array([first, low, 0], np.float32)
            for number, one in enumerate(placed):
                begin = number * len(surface.mesh.triangles)
                rasterizer.draw(target, one.pixels - offset, surface.mesh.triangles, first=begin)
            yield Tile(target, (slice(low, high), slice(first, last)), offset)


def paint(
    tile: Tile, placed: Sequence[Placed], surface: Surface, looks: Sequence[rasterizer.Look]
) -> NDArray[np.float32]:
    """The tile's canvas (rows, columns, 4) with every face shaded, each in its look."""
    for number, (one, look) in enumerate(zip(placed, looks, strict=True)):
        begin = number * len(surface.mesh.triangles)
        rasterizer.shade(tile.target, one.pixels - tile.offset, surface.mesh, look, first=begin)
    return tile.target.canvas
