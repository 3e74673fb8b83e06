"""Photographed lashes and teeth: meshes with textures of their own that move with the model's."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import LASH, TEETH
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.synthetic.card_meshes import card_mesh, upper_teeth
from face_expr_ros.synthetic.head import HeadGeometry
from face_expr_ros.synthetic.normals import corner_operator, vertex_normals
from face_expr_ros.synthetic.styles import Color

Float32 = NDArray[np.float32]
Image = NDArray[np.uint8]

_LASH_TEXTURE, _TEETH_TEXTURE = 512, 512  # texels
_ENAMEL = np.array([196.0, 214.0, 222.0])  # brightest enamel
_DROP = 0.003  # meters by which the upper teeth are lowered, so that a smile shows them
_TEETH_MESH = "teeth/teeth_base"


@dataclass(frozen=True)
class LashPhoto:
    """Photographed lashes: the name of their mesh, their texture with opacity, and a factor on the opacity."""

    mesh: str
    file: Path
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Lashes:
    """Lashes on the vertices of a head geometry: the mesh, and the texture and its levels with opacity."""

    mesh: Mesh
    levels: tuple[Image, ...]


@dataclass(frozen=True, eq=False)
class Teeth:
    """Teeth and gums.

    Attributes:
        sources: for the upper and the lower jaw, vertices (k,) of the model; weights: (n, k) that give the points.
        uppers: (n,) bool; mesh: the mesh; corners: its operator for normals; texture: colors and gloss.
    """

    sources: NDArray[np.intp]
    weights: Float32
    uppers: NDArray[np.bool_]
    mesh: Mesh
    corners: object
    texture: Image

    def surface(self, vertices: NDArray) -> Float32:
        """The vertices (n, 3) for the model's vertices (V, 3), in model axes."""
        points: Float32 = self.weights @ vertices[self.sources].astype(np.float32)
        points[self.uppers, 1] -= _DROP
        return points

    def normals(self, surface: Float32) -> Float32:
        """Normals (n, 3) of a surface."""
        return vertex_normals(surface, self.mesh.triangles, self.corners)


def build_lashes(geometry: HeadGeometry, photo: LashPhoto, color: Color) -> Lashes:
    """Lashes of a color; those of the model's mesh have the order of the photographed ones."""
    card = card_mesh(photo.mesh)
    vertices = geometry.model.part_vertices("eyelashes")
    triangles = vertices[card.triangles].astype(np.int32)
    count = geometry.solid.vertex_count
    mesh = Mesh(triangles, card.uv, card.uv_triangles, np.full(len(triangles), LASH, np.uint8), count)
    opacity = np.clip(_opacity(photo.file) * photo.strength, 0, 255)
    base = np.array(color, np.float32) * np.float32(0.25) + 4
    texture = np.dstack([np.broadcast_to(base, (*opacity.shape, 3)), opacity]).astype(np.uint8)
    levels = [np.ascontiguousarray(texture)]
    while len(levels[-1]) > 64:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return Lashes(mesh, tuple(levels))


@functools.lru_cache(maxsize=8)
def _opacity(file: Path) -> Float32:
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError(f"expected an image with opacity, got {str(file)!r}")
    return cv2.resize(image[..., 3], (_LASH_TEXTURE, _LASH_TEXTURE), interpolation=cv2.INTER_AREA).astype(np.float32)


@functools.lru_cache(maxsize=16)
def teeth(key: ModelKey, file: Path, yellow: float) -> Teeth:
    """Teeth of a model from a texture; yellow is 0 (white) to 1."""
    model, card = key.model, card_mesh(_TEETH_MESH)
    uppers = upper_teeth(_TEETH_MESH)
    jaws = [model.part_vertices("upper_teeth"), model.part_vertices("lower_teeth")]
    sources = np.concatenate(jaws)
    weights = np.zeros((len(card.points), len(sources)), np.float32)
    for jaw, chosen, start in ((jaws[0], uppers, 0), (jaws[1], ~uppers, len(jaws[0]))):
        weights[chosen, start : start + len(jaw)] = _affine(model.mean[jaw], card.points[chosen])
    materials = np.full(len(card.triangles), TEETH, np.uint8)
    mesh = Mesh(card.triangles, card.uv, card.uv_triangles, materials, len(card.points))
    corners = corner_operator(card.triangles, len(card.points))
    return Teeth(sources, weights, uppers, mesh, corners, _teeth_texture(file, yellow))


def _affine(anchors: NDArray, points: NDArray) -> Float32:
    """Weights (n, k) of the least norm that give points (n, 3) from anchors (k, 3) after any affine motion of both."""
    system = np.column_stack([anchors, np.ones(len(anchors))]).astype(np.float64)
    wanted = np.column_stack([points, np.ones(len(points))])
    return (wanted @ np.linalg.pinv(system)).astype(np.float32)


def _teeth_texture(file: Path, yellow: float) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError(f"expected an image with opacity, got {str(file)!r}")
    small = cv2.resize(image, (_TEETH_TEXTURE, _TEETH_TEXTURE), interpolation=cv2.INTER_AREA).astype(np.float32)
    color = small[..., :3]
    red = np.clip((color[..., 2:] - color[..., :1]) / 70, 0, 1)  # gums are red, teeth are gray
    light = color.mean(axis=2, keepdims=True) / 190
    enamel = (0.45 + 0.55 * np.clip(light, 0, 1.1)) * _ENAMEL * (1 - yellow * np.array([0.22, 0.08, 0.03]))
    gums = color * np.array([1.05, 0.95, 1.15]) + 18
    gloss = np.full(light.shape, 150.0)
    return np.clip(np.dstack([enamel + red * (gums - enamel), gloss]), 0, 255).astype(np.uint8)
