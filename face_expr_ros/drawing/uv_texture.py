"""The colors of a photographed face as a texture of the face model.

The model's layout is packed anew, so that the face stands upright in it and fills the width. Texels that the image
shows are taken from it. Hidden ones are filled from the same place on the other side of the face; where that is hidden
as well, and on the back of a head, they have the median color of what is seen, which is a guess.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.atlas import Atlas, Fringe, Texels, fringe, islands, pack, texels
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.pen import Image
from face_expr_ros.drawing.projection import Float32
from face_expr_ros.drawing.surface import Placed
from face_expr_ros.drawing.texture_sampling import View, fused, look_at, mirror_of, sample

_TURNS = (((1, 0), (0, 1)), ((0, 1), (-1, 0)), ((-1, 0), (0, -1)), ((0, -1), (1, 0)))  # by quarters
_REST_SCALE = 0.3  # of what is not the face: the back of a head, the inside of a mouth
_DETAIL = 2.0  # pixels of the image for a texel's width that are worth looking at


@dataclass(frozen=True)
class Layout:
    """Where the surface without the lashes, `surface.whole`, lies in a texture of one width.

    Attributes:
        uv: (U, 2) float32, 0..1 of the texture's width and height, v downwards; uv_triangles: (n, 3).
        under: what lies under each texel; border: the texels around the islands.
    """

    uv: Float32
    uv_triangles: NDArray[np.int32]
    under: Texels
    border: Fringe


def layout_of(model: MorphableModel, width: int) -> Layout:
    """The layout of a model with texture coordinates; computed once for each width."""
    return _layout(ModelKey(model), width)


@functools.lru_cache(maxsize=3)
def _layout(key: ModelKey, width: int) -> Layout:
    atlas = _face_atlas(key.model)
    under = texels(atlas, width)
    return Layout(atlas.normalized_uv(width), atlas.uv_triangles, under, fringe(atlas, under))


def _face_atlas(model: MorphableModel) -> Atlas:
    """The model's layout, packed anew: the face upright over the whole width, all else at its scale or less below."""
    solid = surface.whole(model)
    front = surface.is_front(model)[solid.picked]
    # The cut between the face and the rest is a seam: its points are there twice.
    points = model.uv_triangles[solid.picked] * 2 + front[:, None]
    used, triangles = np.unique(points, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    corners = model.mean[solid.mesh.triangles]
    uv = model.uv[used // 2] @ _upright(corners.reshape(-1, 3), model.uv[used // 2][triangles.ravel()])
    uv = _evened(uv, triangles, corners, np.where(front & surface.is_seen(model)[solid.picked], 1.0, _REST_SCALE))
    return pack(uv, triangles, strip_scale=1.0)


def _upright(places: NDArray, uv: NDArray) -> NDArray:
    """The turn by quarters, (2, 2), after which u runs to the subject's left and v up, as in a portrait."""
    trend = (places[:, :2] - places[:, :2].mean(axis=0)).T @ (uv - uv.mean(axis=0))
    return max((np.array(turn) for turn in _TURNS), key=lambda turn: float(np.trace(trend @ turn)))


def _evened(uv: NDArray, triangles: NDArray, corners: NDArray, scale: NDArray) -> NDArray:
    """uv with islands in proportion to their surface: `scale` (n,) of each triangle in layout units for a meter."""
    island = islands(triangles, len(uv))
    of_triangle = island[triangles[:, 0]]
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat = uv[triangles[:, 1:]] - uv[triangles[:, :1]]
    surfaces = np.bincount(of_triangle, np.linalg.norm(np.cross(ab, ac), axis=1) * scale**2)
    areas = np.bincount(of_triangle, np.abs(flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]))
    return uv * np.sqrt(surfaces / np.maximum(areas, 1e-12))[island][:, None]


def face_texture(image: Image, one: Placed, others: Sequence[Placed], model: MorphableModel, width: int) -> Image:
    """The texture (rows, width, 3) BGR of one face; black where the layout has nothing.

    Args:
        image: (h, w, 3) BGR.
        one: the face in it; others: all faces in it.
        model: with triangles and texture coordinates.
        width: of the texture, pixels.
    """
    layout, solid = layout_of(model, width), surface.whole(model)
    view = look_at(image, one, others, model, round(_DETAIL * width))
    values = _values(view, one, model)
    under = (layout.under.interpolate(side, solid.mesh.triangles) for side in (values, values[mirror_of(model)]))
    own, mirrored = (sample(view, side) for side in under)
    texture = np.zeros((*layout.under.shape, 3), np.uint8)
    texture[layout.under.rows, layout.under.columns] = fused(own, mirrored)
    layout.border.fill(texture)
    return texture


def vertex_colors(
    image: Image, one: Placed, others: Sequence[Placed], model: MorphableModel, size: int
) -> NDArray[np.uint8]:
    """(V, 3) blue, green, red of each vertex, by the rules of `face_texture`, from a view of about `size` pixels."""
    view = look_at(image, one, others, model, size)
    values = _values(view, one, model)
    return fused(sample(view, values), sample(view, values[mirror_of(model)]))


def _values(view: View, one: Placed, model: MorphableModel) -> Float32:
    """What `sample` wants of each vertex, (V, 4). Hair and collars are before the back of a head: it faces nobody."""
    cosine = np.zeros(len(model.mean), np.float32)
    front = surface.front(model).vertices
    cosine[front] = one.facing(surface.whole(model))[front]
    return np.column_stack([view.pixels(one.pixels), cosine])


def sheet(textures: Sequence[Image], model: MorphableModel, width: int) -> Image:
    """Textures side by side; without any, an empty one."""
    if textures:
        return np.hstack(list(textures))
    return np.zeros((*layout_of(model, width).under.shape, 3), np.uint8)
