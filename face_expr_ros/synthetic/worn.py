"""Items worn on the head, from hair to hats: surfaces that move with the head and are rendered with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.synthetic import torso
from face_expr_ros.synthetic.normals import corner_operator, vertex_normals
from face_expr_ros.synthetic.shell import skin_anchors

Float32 = NDArray[np.float32]
Image = NDArray[np.uint8]

_WIDTH = 128  # width of a piece's texture, texels
_BORDER = 4  # replicated border texels, so that reduced levels do not mix neighboring textures
_LINING = 0.30  # fraction of the light that reaches the inner side of a piece


@dataclass(frozen=True, eq=False)
class Piece:
    """One surface on the mean head.

    Attributes:
        points: (n, 3) model axes, meters.
        triangles: (t, 3) counter-clockwise from outside.
        uv: (n, 2) texture coordinates in 0..1.
        texture: (h, w, 4) uint8 BGR and gloss, or opacity for transparent pieces.
        material: row of the light maps.
        tint: (n,) fraction of the light that reaches each point.
        two_sided: also visible from inside, darker.
        transparent: blended over all opaque surfaces.
        follows_expression: moves with all of the skin, such as the jaw; otherwise only with skin that no expression
            moves.
        rests_on_shoulders: its lower part moves with the shoulders.
    """

    points: NDArray
    triangles: NDArray[np.int32]
    uv: NDArray
    texture: Image
    material: int
    tint: NDArray | float = 1.0
    two_sided: bool = False
    transparent: bool = False
    follows_expression: bool = False
    rests_on_shoulders: bool = False


@dataclass(frozen=True, eq=False)
class WornItems:
    """All pieces of one person as an opaque and a transparent mesh.

    Attributes:
        points: (n, 3) vertices on the mean head, meters; mean: (V, 3) the mean head.
        anchor_weights: anchor vertices (a,) and weights (n, a) for each kind of anchors.
        torso_share: (n,) weight of each vertex in the torso, 0..1.
        tint: (n, 3) light factors.
        solid, transparent: the meshes; triangles, corners: all triangles and their operator, for normals.
        texture_levels: the texture in full and half resolution.
    """

    points: Float32
    mean: Float32
    anchor_weights: tuple[tuple[NDArray[np.intp], Float32], ...]
    torso_share: Float32
    tint: Float32
    solid: Mesh
    transparent: Mesh
    triangles: NDArray[np.int32]
    corners: csr_matrix
    texture_levels: tuple[Image, ...]

    def surface(self, vertices: NDArray) -> Float32:
        """The vertices (n, 3) on a head with the model's vertices (V, 3)."""
        moved = self.points
        for anchors, weights in self.anchor_weights:
            moved = moved + weights @ (vertices[anchors] - self.mean[anchors]).astype(np.float32)
        return moved

    def normals(self, surface: NDArray) -> Float32:
        """Normals (n, 3) of a surface in model axes."""
        return vertex_normals(surface, self.triangles, self.corners)


def assemble(model: MorphableModel, pieces: Sequence[Piece]) -> WornItems | None:
    """Combine pieces; None if there are none."""
    if not pieces:
        return None
    pieces = [side for piece in pieces for side in _sides(piece)]
    texture, ranges = _stack_textures([piece.texture for piece in pieces])
    points = np.vstack([piece.points for piece in pieces]).astype(np.float32)
    uv = np.vstack([_stacked_uv(piece.uv, rows, texture) for piece, rows in zip(pieces, ranges, strict=True)])
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    anchor_weights = tuple(
        _anchor_weights(model, pieces, starts, follows_expression)
        for follows_expression in {piece.follows_expression for piece in pieces}
    )
    triangles = [piece.triangles + start for piece, start in zip(pieces, starts, strict=False)]
    all_triangles = np.vstack(triangles).astype(np.int32)
    rests_on_shoulders = np.concatenate([np.full(len(piece.points), piece.rests_on_shoulders) for piece in pieces])
    tint = np.concatenate([np.broadcast_to(piece.tint, len(piece.points)) for piece in pieces])
    opaque, transparent = (_mesh(pieces, triangles, uv, flag) for flag in (False, True))
    return WornItems(
        points, model.mean, anchor_weights, np.where(rests_on_shoulders, torso.torso_share(points), np.float32(0)),
        np.repeat(tint[:, None], 3, axis=1).astype(np.float32), opaque, transparent, all_triangles,
        corner_operator(all_triangles, len(points)),
        _half_resolution(texture),
    )  # fmt: skip


def grid_triangles(rows: int, columns: int) -> NDArray[np.int32]:
    """Triangles of a grid of vertices numbered row by row, counter-clockwise if columns run to the viewer's right and
    rows run down."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.vstack([np.column_stack([a, c, b]), np.column_stack([b, c, d])]).astype(np.int32)


def grid_uv(rows: int, columns: int) -> NDArray:
    """Texture coordinates (rows * columns, 2) of such a grid: u along columns, v along rows."""
    v, u = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return np.stack([u, v], axis=-1).reshape(-1, 2)


def _sides(piece: Piece) -> list[Piece]:
    if not piece.two_sided:
        return [piece]
    inner = replace(piece, triangles=piece.triangles[:, ::-1], tint=np.asarray(piece.tint) * _LINING, two_sided=False)
    return [replace(piece, two_sided=False), inner]


def _anchor_weights(
    model: MorphableModel, pieces: list[Piece], starts: NDArray, follows_expression: bool
) -> tuple[NDArray, Float32]:
    anchors = skin_anchors(model, follows_expression=follows_expression)
    weights = np.zeros((starts[-1], len(anchors.vertices)), np.float32)
    last: Piece | None = None
    for piece, start, stop in zip(pieces, starts, starts[1:], strict=False):
        if piece.follows_expression == follows_expression:
            same = last is not None and last.points is piece.points  # a lining
            weights[start:stop] = weights[start - (stop - start) : start] if same else anchors.weights(piece.points)
        last = piece
    return anchors.vertices, weights


def _mesh(pieces: list[Piece], triangles: list[NDArray], uv: NDArray, transparent: bool) -> Mesh:
    chosen = [(p, t) for p, t in zip(pieces, triangles, strict=True) if p.transparent == transparent]
    indices = np.vstack([np.zeros((0, 3), np.int32), *(t for _, t in chosen)]).astype(np.int32)
    materials = np.concatenate([np.zeros(0, np.uint8), *(np.full(len(t), p.material, np.uint8) for p, t in chosen)])
    return Mesh(indices, uv, indices, materials, len(uv))


def _stack_textures(textures: list[Image]) -> tuple[Image, list[tuple[int, int]]]:
    """Stack distinct textures vertically, with borders; return the stack, and each one's first row and row count."""
    stack: list[Image] = []
    ranges: dict[int, tuple[int, int]] = {}
    height = 0
    for texture in textures:
        if id(texture) not in ranges:
            wide = cv2.resize(texture, (_WIDTH, len(texture))) if texture.shape[1] != _WIDTH else texture
            stack.append(cv2.copyMakeBorder(wide, *[_BORDER] * 4, cv2.BORDER_REPLICATE))
            ranges[id(texture)] = (height + _BORDER, len(texture))
            height += len(stack[-1])
    return np.vstack(stack), [ranges[id(texture)] for texture in textures]


def _stacked_uv(uv: NDArray, row_range: tuple[int, int], texture: Image) -> Float32:
    first, rows = row_range
    x = _BORDER + 0.5 + uv[:, 0] * (_WIDTH - 1)
    y = first + 0.5 + uv[:, 1] * (rows - 1)
    return np.column_stack([x / texture.shape[1], y / texture.shape[0]]).astype(np.float32)


def _half_resolution(texture: Image) -> tuple[Image, ...]:
    half = cv2.resize(texture, (texture.shape[1] // 2, texture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(texture), np.ascontiguousarray(half)
