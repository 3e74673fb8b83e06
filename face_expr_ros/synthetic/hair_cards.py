"""Photographed hair on card meshes: opaque cards for the body of the hair, transparent ones for its strands and tips.

Transparent cards are blended from back to front. The textures keep their light and dark strands and take the color of
the person's hair.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.lighting import HAIR
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.synthetic import torso
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.card_meshes import CardMesh, card_mesh
from face_expr_ros.synthetic.head import HeadGeometry
from face_expr_ros.synthetic.occlusion import Occluder, unoccluded_share
from face_expr_ros.synthetic.shell import DROP, MIDDLE, skin_anchors
from face_expr_ros.synthetic.styles import Color

Float32 = NDArray[np.float32]
Image = NDArray[np.uint8]

_OPAQUE = 230  # least opacity of the texels under a card's corners, edges and center for it to count as opaque
_BRIGHTEST = 185.0  # gray level of white hair; paler hair would have no visible strands
_CONTRAST = 0.85  # exponent of the strands' brightness
_DARKEST = np.array([0.30, 0.29, 0.30])  # light that reaches hair below other hair
_SAMPLES = np.array(
    [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (1 / 3, 1 / 3, 1 / 3)]
)


@dataclass(frozen=True)
class HairPhoto:
    """Photographed hair.

    Attributes:
        mesh: name of its card mesh, such as ``hair/short01``.
        file: its texture with opacity.
        mirrored: left and right are exchanged.
        volume: factor on the distance from the skull.
    """

    mesh: str
    file: Path
    mirrored: bool = False
    volume: float = 1.0


@dataclass(frozen=True, eq=False)
class HairCards:
    """Hair ready for rendering.

    Attributes:
        points: (n, 3) on the mean head, meters; normals: (n, 3), away from the skull.
        anchors, weights: vertices (a,) of the model and weights (n, a) of their displacements; mean: the mean head.
        torso_share: (n,) weight of each vertex in the torso, 0..1.
        tint: (n, 3) light factors of ambient occlusion.
        solid: the opaque cards; cards: all others.
        opaque_levels, levels: textures with gloss and with opacity, each half the size of the previous.
        texels_per_meter: of the first level.
    """

    points: Float32
    normals: Float32
    anchors: NDArray[np.intp]
    weights: Float32
    mean: Float32
    torso_share: Float32
    tint: Float32
    solid: Mesh
    cards: Mesh
    opaque_levels: tuple[Image, ...]
    levels: tuple[Image, ...]
    texels_per_meter: float

    def surface(self, vertices: NDArray) -> Float32:
        """The vertices (n, 3) on a head with the model's vertices (V, 3)."""
        moved: Float32 = self.points + self.weights @ (vertices[self.anchors] - self.mean[self.anchors]).astype(
            np.float32
        )
        return moved

    def sorted_cards(self, depth: NDArray) -> Mesh:
        """The transparent cards from the farthest to the nearest, for the depth (n,) of the vertices."""
        order = np.argsort(-depth[self.cards.triangles].sum(axis=1))
        cards = self.cards
        return Mesh(cards.triangles[order], cards.uv, cards.uv_triangles[order], cards.materials, cards.vertex_count)

    def level(self, pixels_per_meter: float) -> int:
        """The texture level closest to one texel per pixel."""
        finest = np.log2(max(self.texels_per_meter / max(pixels_per_meter, 1e-6), 1e-6))
        return int(np.clip(np.round(finest), 0, len(self.levels) - 1))


def build_hair(model: MorphableModel, photo: HairPhoto, color: Color, side: int, under: float = 0.0) -> HairCards:
    """The hair of a person.

    Args:
        color: sRGB blue, green, red of the hair.
        side: width and height of the texture, texels.
        under: drop coordinate (see `shell`) above which a hat covers the hair; 0 is no hat.
    """
    mesh = card_mesh(photo.mesh)
    points, normals, tint = _shape(photo.mesh)
    texture = _texture(photo.file, side)
    opaque = _is_opaque(mesh, texture)
    kept = _drop(points)[mesh.triangles].min(axis=1) >= under
    points = MIDDLE.astype(np.float32) + (points - MIDDLE.astype(np.float32)) * np.float32(photo.volume)
    triangles = mesh.triangles
    if photo.mirrored:
        flip = np.array([-1, 1, 1], np.float32)
        points, normals, triangles = points * flip, normals * flip, triangles[:, ::-1]
    uv_triangles = mesh.uv_triangles[:, ::-1] if photo.mirrored else mesh.uv_triangles
    parts = (
        Mesh(triangles[chosen], mesh.uv, uv_triangles[chosen], np.full(int(chosen.sum()), HAIR, np.uint8), len(points))
        for chosen in (opaque & kept, ~opaque & kept)
    )
    solid, cards = parts
    anchors = skin_anchors(model)
    colored = _colored(texture, color)
    return HairCards(
        points, normals, anchors.vertices, anchors.weights(points), model.mean, torso.torso_share(points), tint, solid,
        cards, tuple(_with_gloss(level) for level in colored), colored, _density(mesh, side),
    )  # fmt: skip


@functools.lru_cache(maxsize=32)
def shade_on_head(geometry: HeadGeometry, name: str, mirrored: bool) -> Float32:
    """Light factors (V', 3) that the hair of a card mesh leaves for the vertices of a head."""
    mesh = card_mesh(name)
    points = mesh.points * np.array([-1, 1, 1], np.float32) if mirrored else mesh.points
    mean = geometry.model.mean
    surface = geometry.surface(mean, Appearance(hair_volume=0.0))
    share = unoccluded_share(surface, geometry.normals(surface, mean), Occluder(points, mesh.triangles, cull=False))
    kept = geometry.smoothed(share)[:, None]
    return (_DARKEST + (1 - _DARKEST) * kept).astype(np.float32)


@functools.lru_cache(maxsize=32)
def _shape(name: str) -> tuple[Float32, Float32, Float32]:
    """Points, normals and ambient occlusion tint of a card mesh; normals are between radial and the cards' own."""
    mesh = card_mesh(name)
    radial = mesh.points - np.where(
        mesh.points[:, 1:2] > MIDDLE[1], MIDDLE, MIDDLE * [1, 0, 1] + [0, 1, 0] * mesh.points
    )
    radial = radial / np.linalg.norm(radial, axis=1, keepdims=True)
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12
    flat *= np.sign((flat * radial[mesh.triangles].mean(axis=1)).sum(axis=1, keepdims=True) + 1e-12)
    own = np.zeros_like(mesh.points)
    for corner in range(3):
        np.add.at(own, mesh.triangles[:, corner], flat)
    normals = radial + own / (np.linalg.norm(own, axis=1, keepdims=True) + 1e-12)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    share = unoccluded_share(mesh.points, normals, Occluder(mesh.points, mesh.triangles, cull=False))
    tint = _DARKEST + (1 - _DARKEST) * np.clip(share * 1.1, 0, 1)[:, None]
    return mesh.points, normals.astype(np.float32), tint.astype(np.float32)


def _drop(points: NDArray) -> NDArray:
    """(n,) drop coordinate of points, see `shell`."""
    x, y, z = (points - MIDDLE).T
    angle = np.arctan2(np.hypot(x, z), y) / (np.pi / 2)
    drop: NDArray = np.where(y > 0, angle, 1.0 - y / DROP)
    return drop


@functools.lru_cache(maxsize=16)
def _texture(file: Path, side: int) -> Image:
    """(side, side, 4) a texture with opacity; transparent texels have the color of their neighbors.

    Raises:
        ValueError: the file is not an image with opacity.
    """
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError(f"expected an image with opacity, got {str(file)!r}")
    opacity = image[..., 3:].astype(np.float32) / 255
    both = np.dstack([image[..., :3] * opacity, opacity])
    small = cv2.resize(both, (side, side), interpolation=cv2.INTER_AREA)
    near, far = (cv2.GaussianBlur(small, (0, 0), side / reach) for reach in (200, 20))
    spread = small + 0.01 * near + 1e-4 * far
    color = spread[..., :3] / np.maximum(spread[..., 3:], 1e-7)
    return np.dstack([np.clip(color, 0, 255), 255 * small[..., 3]]).round().astype(np.uint8)


def _is_opaque(mesh: CardMesh, texture: Image) -> NDArray[np.bool_]:
    """(t,) whether the texture is opaque everywhere under each card."""
    places = np.einsum("sc,tck->tsk", _SAMPLES, mesh.uv[mesh.uv_triangles])
    side = len(texture)
    x, y = np.clip((places * side).astype(int), 0, side - 1).transpose(2, 0, 1)
    opaque: NDArray[np.bool_] = cv2.erode(texture[..., 3], np.ones((3, 3)))[y, x].min(axis=1) >= _OPAQUE
    return opaque


def _colored(texture: Image, color: Color) -> tuple[Image, ...]:
    """Levels of a texture whose mean is the color."""
    light = cv2.cvtColor(texture[..., :3], cv2.COLOR_BGR2GRAY).astype(np.float32) + 2.0
    mean = np.average(light, weights=texture[..., 3].astype(np.float32) + 1e-3)
    strands = (light / mean) ** np.float32(_CONTRAST)
    toned = np.clip(strands[..., None] * np.minimum(np.array(color, np.float32), _BRIGHTEST), 0, 255)
    levels = [np.ascontiguousarray(np.dstack([toned, texture[..., 3]]).astype(np.uint8))]
    while len(levels[-1]) > 128:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return tuple(levels)


def _with_gloss(texture: Image) -> Image:
    """The texture with gloss instead of opacity: bright strands reflect more."""
    light = cv2.cvtColor(texture[..., :3], cv2.COLOR_BGR2GRAY).astype(np.float32)
    gloss = 255 * np.clip(0.05 + 0.17 * light / max(float(light.mean()), 1.0), 0, 0.6)
    return np.ascontiguousarray(np.dstack([texture[..., :3], gloss.astype(np.uint8)]))


def _density(mesh: CardMesh, side: int) -> float:
    """Texels per meter, the median of all cards."""
    uv, points = mesh.uv[mesh.uv_triangles] * side, mesh.points[mesh.triangles]
    first, second = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    in_texture = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    on_head = np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1)
    return float(np.sqrt(np.median(in_texture / np.maximum(on_head, 1e-12))))
