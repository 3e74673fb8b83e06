"""What a person wears on the head, from hair to hats: pieces of surface that follow the head, drawn with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing.projection import corner_operator, vertex_normals
from face_expr_ros.kernels.rasterizer import Mesh
from face_expr_ros.synthetic import torso
from face_expr_ros.synthetic.shell import anchors_of

Float32 = NDArray[np.float32]
Image = NDArray[np.uint8]

_WIDTH = 128  # texels of a piece's texture across
_BORDER = 4  # texels repeated around it, so that reductions do not see the neighbor
_LINING = 0.30  # of the light reaches the inner side of a piece


@dataclass(frozen=True, eq=False)
class Piece:
    """One surface on the mean head.

    Attributes:
        points: (n, 3) model axes, meters.
        triangles: (t, 3) counter-clockwise from outside.
        uv: (n, 2) 0..1 of its texture.
        texture: (h, w, 4) uint8 BGR and gloss, or opacity for what is see-through.
        material: row of the light maps.
        tint: (n,) share of the light that reaches it.
        lined: it is seen from inside as well, darker.
        see_through: it is laid over everything else.
        moving: it follows the whole skin, jaw and all; otherwise only what no expression moves.
        bends: its lower parts lie on the shoulders.
    """

    points: NDArray
    triangles: NDArray[np.int32]
    uv: NDArray
    texture: Image
    material: int
    tint: NDArray | float = 1.0
    lined: bool = False
    see_through: bool = False
    moving: bool = False
    bends: bool = False


@dataclass(frozen=True, eq=False)
class Worn:
    """All pieces of one person in one mesh, the see-through ones in a second.

    Attributes:
        rest: (n, 3) on the mean head; follow: anchors and (n, a) weights for each kind of them.
        share: (n,) how far each vertex belongs to the torso.
        tint: (n, 3).
        solid, glass: the meshes; outer, corners: triangles and operator of the normals.
        levels: the texture and its reductions.
    """

    rest: Float32
    mean: Float32
    follow: tuple[tuple[NDArray[np.intp], Float32], ...]
    share: Float32
    tint: Float32
    solid: Mesh
    glass: Mesh
    triangles: NDArray[np.int32]
    corners: csr_matrix
    levels: tuple[Image, ...]

    def surface(self, vertices: NDArray) -> Float32:
        """The pieces' vertices (n, 3) on a head with the model's vertices (V, 3)."""
        moved = self.rest
        for anchors, weights in self.follow:
            moved = moved + weights @ (vertices[anchors] - self.mean[anchors]).astype(np.float32)
        return moved

    def normals(self, surface: NDArray) -> Float32:
        """Normals (n, 3) of a surface in model axes."""
        return vertex_normals(surface, self.triangles, self.corners)


def assemble(model: MorphableModel, pieces: Sequence[Piece]) -> Worn | None:
    """The pieces in one; None where there are none."""
    if not pieces:
        return None
    pieces = [half for piece in pieces for half in _sides(piece)]
    texture, places = _stacked([piece.texture for piece in pieces])
    rest = np.vstack([piece.points for piece in pieces]).astype(np.float32)
    uv = np.vstack([_placed_uv(piece.uv, place, texture) for piece, place in zip(pieces, places, strict=True)])
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    follow = tuple(_follow(model, pieces, starts, moving) for moving in {piece.moving for piece in pieces})
    triangles = [piece.triangles + start for piece, start in zip(pieces, starts, strict=False)]
    every = np.vstack(triangles).astype(np.int32)
    bends = np.concatenate([np.full(len(piece.points), piece.bends) for piece in pieces])
    tint = np.concatenate([np.broadcast_to(piece.tint, len(piece.points)) for piece in pieces])
    solid, glass = (_mesh(pieces, triangles, uv, seen) for seen in (False, True))
    return Worn(
        rest, model.mean, follow, np.where(bends, torso.torso_share(rest), np.float32(0)),
        np.repeat(tint[:, None], 3, axis=1).astype(np.float32), solid, glass, every, corner_operator(every, len(rest)),
        _reductions(texture),
    )  # fmt: skip


def grid_triangles(rows: int, columns: int, *, closed: bool = False) -> NDArray[np.int32]:
    """Triangles of a grid of vertices numbered row by row, counter-clockwise where columns run to the viewer's right
    and rows run down; `closed` joins the last column to the first."""
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.hstack([index, index[:, :1]])
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.vstack([np.column_stack([a, c, b]), np.column_stack([b, c, d])]).astype(np.int32)


def grid_uv(rows: int, columns: int) -> NDArray:
    """Texture coordinates of such a grid: u along columns, v along rows."""
    v, u = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return np.stack([u, v], axis=-1).reshape(-1, 2)


def _sides(piece: Piece) -> list[Piece]:
    if not piece.lined:
        return [piece]
    inner = replace(piece, triangles=piece.triangles[:, ::-1], tint=np.asarray(piece.tint) * _LINING, lined=False)
    return [replace(piece, lined=False), inner]


def _follow(model: MorphableModel, pieces: list[Piece], starts: NDArray, moving: bool) -> tuple[NDArray, Float32]:
    anchors = anchors_of(model, moving=moving)
    weights = np.zeros((starts[-1], len(anchors.vertices)), np.float32)
    last: Piece | None = None
    for piece, start, stop in zip(pieces, starts, starts[1:], strict=False):
        if piece.moving == moving:
            same = last is not None and last.points is piece.points  # a lining
            weights[start:stop] = weights[start - (stop - start) : start] if same else anchors.weights(piece.points)
        last = piece
    return anchors.vertices, weights


def _mesh(pieces: list[Piece], triangles: list[NDArray], uv: NDArray, see_through: bool) -> Mesh:
    chosen = [(p, t) for p, t in zip(pieces, triangles, strict=True) if p.see_through == see_through]
    indices = np.vstack([np.zeros((0, 3), np.int32), *(t for _, t in chosen)]).astype(np.int32)
    materials = np.concatenate([np.zeros(0, np.uint8), *(np.full(len(t), p.material, np.uint8) for p, t in chosen)])
    return Mesh(indices, uv, indices, materials, len(uv))


def _stacked(textures: list[Image]) -> tuple[Image, list[tuple[int, int]]]:
    """The different textures one below the other, with borders; first row and rows of each one's own."""
    stack: list[Image] = []
    known: dict[int, tuple[int, int]] = {}
    height = 0
    for texture in textures:
        if id(texture) not in known:
            wide = cv2.resize(texture, (_WIDTH, len(texture))) if texture.shape[1] != _WIDTH else texture
            stack.append(cv2.copyMakeBorder(wide, *[_BORDER] * 4, cv2.BORDER_REPLICATE))
            known[id(texture)] = (height + _BORDER, len(texture))
            height += len(stack[-1])
    return np.vstack(stack), [known[id(texture)] for texture in textures]


def _placed_uv(uv: NDArray, place: tuple[int, int], texture: Image) -> Float32:
    first, rows = place
    x = _BORDER + 0.5 + uv[:, 0] * (_WIDTH - 1)
    y = first + 0.5 + uv[:, 1] * (rows - 1)
    return np.column_stack([x / texture.shape[1], y / texture.shape[0]]).astype(np.float32)


def _reductions(texture: Image) -> tuple[Image, ...]:
    half = cv2.resize(texture, (texture.shape[1] // 2, texture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(texture), np.ascontiguousarray(half)
