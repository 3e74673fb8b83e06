"""Extracts the texture of a face model from an image of a face.

The model's UV layout is repacked so that the face is upright and fills the width. Visible texels are sampled from the
image. Hidden texels are filled from the mirrored position on the other side of the face; if that is hidden as well, and
on the back of the head, with the median color of the visible texels.
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
from face_expr_ros.drawing.line_drawing import Image
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import Float32
from face_expr_ros.drawing.surface import ProjectedFace
from face_expr_ros.drawing.texture_sampling import View, blend_samples, face_view, mirror_indices, sample

_TURNS = (((1, 0), (0, 1)), ((0, 1), (-1, 0)), ((-1, 0), (0, -1)), ((0, -1), (1, 0)))  # rotations by quarter turns
_OTHER_SCALE = 0.3  # scale of parts other than the face: the back of the head, the inside of the mouth
_DETAIL = 2.0  # maximum sampled image pixels per texel, in each direction


@dataclass(frozen=True)
class Layout:
    """UV layout of `surface.whole` in a texture of one width.

    Attributes:
        uv: (U, 2) float32, 0..1 of the texture's width and height, v downwards; uv_triangles: (n, 3).
        under: the surface under each texel; border: the texels around the islands.
    """

    uv: Float32
    uv_triangles: NDArray[np.int32]
    under: Texels
    border: Fringe


def texture_layout(model: MorphableModel, width: int) -> Layout:
    """The layout of a model with texture coordinates, computed once for each width."""
    return _build_layout(ModelKey(model), width)


@functools.lru_cache(maxsize=3)
def _build_layout(key: ModelKey, width: int) -> Layout:
    atlas = _face_atlas(key.model)
    under = texels(atlas, width)
    return Layout(atlas.normalized_uv(width), atlas.uv_triangles, under, fringe(atlas, under))


def _face_atlas(model: MorphableModel) -> Atlas:
    """The repacked layout: the face upright over the whole width, other islands below at the same or a lower scale."""
    solid = surface.whole(model)
    front = surface.is_front(model)[solid.triangle_indices]
    # The cut between the face and the other parts is a seam with duplicated points.
    points = model.uv_triangles[solid.triangle_indices] * 2 + front[:, None]
    used, triangles = np.unique(points, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    corners = model.mean[solid.mesh.triangles]
    uv = model.uv[used // 2] @ _upright(corners.reshape(-1, 3), model.uv[used // 2][triangles.ravel()])
    detailed = front & surface.is_skin_or_eye(model)[solid.triangle_indices]
    uv = _equalize_scale(uv, triangles, corners, np.where(detailed, 1.0, _OTHER_SCALE))
    return pack(uv, triangles, strip_scale=1.0)


def _upright(points: NDArray, uv: NDArray) -> NDArray:
    """The rotation (2, 2) by quarter turns after which u runs to the subject's left and v up."""
    trend = (points[:, :2] - points[:, :2].mean(axis=0)).T @ (uv - uv.mean(axis=0))
    return max((np.array(turn) for turn in _TURNS), key=lambda turn: float(np.trace(trend @ turn)))


def _equalize_scale(uv: NDArray, triangles: NDArray, corners: NDArray, scale: NDArray) -> NDArray:
    """Scale each island of uv in proportion to its surface; `scale` (n,) is the relative scale of each triangle."""
    island = islands(triangles, len(uv))
    of_triangle = island[triangles[:, 0]]
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat = uv[triangles[:, 1:]] - uv[triangles[:, :1]]
    surfaces = np.bincount(of_triangle, np.linalg.norm(np.cross(ab, ac), axis=1) * scale**2)
    areas = np.bincount(of_triangle, np.abs(flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]))
    return uv * np.sqrt(surfaces / np.maximum(areas, 1e-12))[island][:, None]


def face_texture(
    image: Image, face: ProjectedFace, all_faces: Sequence[ProjectedFace], model: MorphableModel, width: int
) -> Image:
    """The texture (rows, width, 3) BGR of one face, black outside the layout.

    Args:
        image: (h, w, 3) BGR.
        face: the face in the image; all_faces: all faces in the image, for occlusion.
        model: a model with triangles and texture coordinates.
        width: width of the texture, texels.
    """
    layout, solid = texture_layout(model, width), surface.whole(model)
    view = face_view(image, face, all_faces, model, round(_DETAIL * width))
    values = _vertex_values(view, face, model)
    under = (layout.under.interpolate(side, solid.mesh.triangles) for side in (values, values[mirror_indices(model)]))
    own, mirrored = (sample(view, side) for side in under)
    texture = np.zeros((*layout.under.shape, 3), np.uint8)
    texture[layout.under.rows, layout.under.columns] = blend_samples(own, mirrored)
    layout.border.fill(texture)
    return texture


def vertex_colors(
    image: Image, face: ProjectedFace, all_faces: Sequence[ProjectedFace], model: MorphableModel, size: int
) -> NDArray[np.uint8]:
    """(V, 3) blue, green, red of each vertex, filled as by `face_texture`, from a view of about `size` pixels."""
    view = face_view(image, face, all_faces, model, size)
    values = _vertex_values(view, face, model)
    return blend_samples(sample(view, values), sample(view, values[mirror_indices(model)]))


def _vertex_values(view: View, face: ProjectedFace, model: MorphableModel) -> Float32:
    """Input (V, 4) of `sample` for each vertex; the back of the head, hidden by hair and clothes, counts as hidden."""
    cosine = np.zeros(len(model.mean), np.float32)
    front = surface.front(model).vertices
    cosine[front] = face.facing(surface.whole(model))[front]
    return np.column_stack([view.pixels(face.pixels), cosine])


def texture_sheet(textures: Sequence[Image], model: MorphableModel, width: int) -> Image:
    """Textures side by side; a black texture if there are none."""
    if textures:
        return np.hstack(list(textures))
    return np.zeros((*texture_layout(model, width).under.shape, 3), np.uint8)
