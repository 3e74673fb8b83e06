"""Fitted faces as surfaces in the image: projected vertices, and a common z-buffer."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import to_camera
from face_expr_ros.core.types import Camera, FaceFit, FloatArray
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import (
    Float32,
    bounding_box,
    facing_normals,
    fit_in_image,
)
from face_expr_ros.kernels import rasterizer
from face_expr_ros.kernels.surface import vertex_normals

LASHES = "eyelashes"  # planes for a transparent texture, not part of the surface
_SKIN, _EYES = "skin", ("left_eyeball", "right_eyeball")
_JAW = slice(0, 9)  # iBUG points from the subject's right ear to the chin, from back to front
_UNDER_JAW = 0.010  # meters below the jaw line that belong to the face
_BEFORE_EAR = 0.008  # meters in front of the jaw line's end that do not belong to the face
_MIN_DISTANCE = 0.05  # meters in front of the camera; faces with nearer points are not drawn
_TILE = 1 << 20  # maximum number of pixels per tile, which limits the memory to 24 MB


@dataclass(frozen=True)
class Surface:
    """A subset of a face model's triangles.

    Attributes:
        mesh: mesh for the rasterizer.
        triangle_indices: (n,) indices of the model's triangles.
        vertices: (n,) indices of the vertices in use.
    """

    mesh: rasterizer.Mesh
    triangle_indices: NDArray[np.intp]
    vertices: NDArray[np.intp]


def skin(model: MorphableModel) -> Surface:
    """The front of the face's skin, with holes at eyes and mouth; the front of the model if it has no parts."""
    return _surface(ModelKey(model), (_SKIN,), True)


def front(model: MorphableModel) -> Surface:
    """The front of the face with eyes, teeth and all other parts except the lashes."""
    return _surface(ModelKey(model), _solid(model), True)


def whole(model: MorphableModel) -> Surface:
    """The whole model except the lashes."""
    return _surface(ModelKey(model), _solid(model), False)


def _solid(model: MorphableModel) -> tuple[str, ...]:
    return tuple(part for part in model.part_names if part != LASHES)


def is_skin_or_eye(model: MorphableModel) -> NDArray[np.bool_]:
    """(T,) whether each triangle belongs to the skin or the eyes."""
    return _in_parts(model, (_SKIN, *_EYES)) if model.part_names else np.ones(len(model.triangles), bool)


def _in_parts(model: MorphableModel, parts: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.isin(model.triangle_part, [model.part_names.index(part) for part in parts])


def is_front(model: MorphableModel) -> NDArray[np.bool_]:
    """(T,) whether each triangle belongs to the face: in front of the ears and above the iBUG jaw line."""
    if not model.part_names:
        return np.ones(len(model.triangles), bool)
    center = model.mean[model.triangles].mean(axis=1)
    jaw = model.mean[model.landmarks68[_JAW]]
    low = np.interp(center[:, 2], jaw[:, 2], jaw[:, 1]) - _UNDER_JAW
    return (center[:, 2] > jaw[0, 2] + _BEFORE_EAR) & (center[:, 1] > low)


@functools.lru_cache(maxsize=6)
def _surface(key: ModelKey, parts: tuple[str, ...], cut: bool) -> Surface:
    model = key.model
    selected = is_front(model) if cut else np.ones(len(model.triangles), bool)
    if model.part_names:
        selected &= _in_parts(model, parts)
    triangle_indices, size = np.flatnonzero(selected), len(model.mean)
    triangles, count = model.triangles[triangle_indices], len(triangle_indices)
    mesh = rasterizer.Mesh(
        triangles, np.zeros((1, 2), np.float32), np.zeros((count, 3), np.int32), np.zeros(count, np.uint8), size
    )
    return Surface(mesh, triangle_indices, np.unique(mesh.triangles))


@dataclass(frozen=True)
class ProjectedFace:
    """A fitted face in the camera frame and in the image.

    Attributes:
        points: (V, 3) in the camera frame, meters.
        pixels: (V, 3) float32: x, y in image pixels, z in meters along the optical axis.
    """

    points: FloatArray
    pixels: Float32

    def normals(self, surface: Surface) -> Float32:
        """(V, 3) unit normals relative to each vertex's viewing ray: (0, 0, -1) faces the camera."""
        normals = vertex_normals(self.points, surface.mesh.triangles)
        return facing_normals(normals, self.points)

    def facing(self, surface: Surface) -> Float32:
        """(V,) cosine of the angle between each vertex's normal and the direction to the camera."""
        normals = self.normals(surface)
        length = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
        return np.asarray(-normals[:, 2] / length, np.float32)


def project_face(fit: FaceFit, model: MorphableModel, camera: Camera, height: int) -> ProjectedFace | None:
    """Project a face into an image of ``height`` rows; None if it is too near, behind the camera or not finite."""
    vertices = model.vertices(fit.shape, fit.expression)
    points = to_camera(vertices, fit.pose)
    if not np.isfinite(points).all() or (points[:, 2] <= _MIN_DISTANCE).any():
        return None
    return ProjectedFace(points, fit_in_image(fit, vertices, model, camera, height))


def project_faces(fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, height: int) -> list[ProjectedFace]:
    """Project several faces; those that cannot be projected are left out."""
    projected = (project_face(fit, model, camera, height) for fit in fits)
    return [face for face in projected if face is not None]


@dataclass(frozen=True)
class Tile:
    """A part of the image with all faces in its z-buffer; indices of face n's T triangles start at n T.

    Attributes:
        target: render target, one sample per pixel.
        window: rows and columns of the image.
        offset: (3,) offset to subtract from a vertex's pixels for target coordinates.
    """

    target: rasterizer.Target
    window: tuple[slice, slice]
    offset: Float32

    @property
    def depth(self) -> Float32:
        """(rows, columns) depth along the optical axis, meters, inf without a face."""
        with np.errstate(divide="ignore"):
            return np.float32(1) / self.target.inverse_depth

    def visible(self, pixels: Float32) -> NDArray[np.bool_]:
        """(n,) whether points (n, 3) of `ProjectedFace.pixels` are in this tile and not occluded by a surface."""
        return rasterizer.visible_vertices(pixels - self.offset, self.depth)


def tiles(projected: Sequence[ProjectedFace], surface: Surface, width: int, height: int) -> Iterator[Tile]:
    """Iterate over the part of an image that faces cover; a tile is valid until the next iteration."""
    box = bounding_box([face.pixels[surface.vertices] for face in projected], width, height)
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
            for number, face in enumerate(projected):
                begin = number * len(surface.mesh.triangles)
                rasterizer.draw(target, face.pixels - offset, surface.mesh.triangles, first=begin)
            yield Tile(target, (slice(low, high), slice(first, last)), offset)


def shade(
    tile: Tile, projected: Sequence[ProjectedFace], surface: Surface, shadings: Sequence[rasterizer.Shading]
) -> NDArray[np.float32]:
    """The tile's canvas (rows, columns, 4) with every face shaded with its own `rasterizer.Shading`."""
    for number, (face, shading) in enumerate(zip(projected, shadings, strict=True)):
        begin = number * len(surface.mesh.triangles)
        rasterizer.shade(tile.target, face.pixels - tile.offset, surface.mesh, shading, first=begin)
    return tile.target.canvas
