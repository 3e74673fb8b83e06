"""Samples the image's colors on the surface of a fitted face."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import Float32, bounding_box
from face_expr_ros.drawing.surface import ProjectedFace
from face_expr_ros.kernels import rasterizer

_GRAZING, _FACING = 0.2, 0.5  # cosines to the viewing direction between which the visibility rises from 0 to 1
_RIM = 0.07  # fraction of the face's size: distance from its border within which the visibility is reduced
_BEHIND = 0.004  # depth tolerance of the visibility test, meters
_MIRROR_REACH = 0.006  # maximum distance between a vertex's mirror image and its counterpart, meters
_MIRRORED = 0.02  # minimum weight of the mirrored color
_GRAY = 128.0
_COLUMNS = 4096  # cv2.remap's maps may not be wider than 32,767


@dataclass(frozen=True)
class View:
    """The part of an image that shows one face, reduced as needed, with a z-buffer of all faces.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        depth: (h, w) float32 meters, inf without a face.
        rim: (h, w) float32 distance to the nearest pixel without a face, pixels; fits are inaccurate at the border.
        scale: view pixels per image pixel; offset: (2,) image pixel at the view's top left corner.
    """

    image: NDArray[np.uint8]
    depth: Float32
    rim: Float32
    scale: float
    offset: Float32

    def pixels(self, pixels: Float32) -> Float32:
        """Convert points (n, 3) of `ProjectedFace.pixels` to pixels of the view."""
        return _in_view(pixels, self.scale, self.offset)


def face_view(
    image: NDArray[np.uint8], face: ProjectedFace, all_faces: Sequence[ProjectedFace], model: MorphableModel, size: int
) -> View:
    """The view of one face, reduced to about `size` pixels if the face is larger in the image.

    Args:
        all_faces: all faces of the image, including this one, for occlusion.
    """
    solid = surface.whole(model)
    height, width = image.shape[:2]
    box = bounding_box([face.pixels[surface.front(model).vertices]], width, height) or (0, 0, 1, 1)
    left, top, right, bottom = box
    scale = min(1.0, size / max(right - left, bottom - top))
    shape = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    reduced = cv2.resize(image[top:bottom, left:right], shape, interpolation=cv2.INTER_AREA)
    offset = np.array([left, top], np.float32)
    target = rasterizer.Target(*shape, samples=1)
    for any_face in all_faces:
        rasterizer.draw(target, _in_view(any_face.pixels, scale, offset), solid.mesh.triangles)
    with np.errstate(divide="ignore"):
        depth = np.float32(1) / target.inverse_depth
    rim = cv2.distanceTransform(np.isfinite(depth).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return View(np.asarray(reduced, np.uint8).reshape(shape[1], shape[0], 3), depth, rim, scale, offset)


def _in_view(pixels: Float32, scale: float, offset: Float32) -> Float32:
    moved = pixels.copy()
    moved[:, :2] = (pixels[:, :2] - offset + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    return moved


def sample(view: View, points: Float32) -> tuple[Float32, Float32]:
    """Sample colors and visibility at points of the surface.

    Args:
        points: (n, 4) x, y in the view's pixels, z in meters, cosine between the normal and the viewing direction.
    Returns:
        (n, 3) blue, green, red, bilinear; and (n,) visibility from 0 (hidden) to 1.
    """
    x, y, _, cosine = np.ascontiguousarray(points.T)
    facing = np.clip((cosine - _GRAZING) / (_FACING - _GRAZING), 0.0, 1.0)
    inside = np.clip(_bilinear(view.rim, x, y)[:, 0] / (_RIM * max(view.rim.shape)), 0.0, 1.0)
    visibility = facing * inside * rasterizer.visible_vertices(points[:, :3], view.depth, _BEHIND)
    return _bilinear(view.image, x, y), visibility.astype(np.float32)


def _bilinear(image: NDArray, x: Float32, y: Float32) -> Float32:
    """Bilinear samples (n, channels) of an image at pixels (n,), clamped at its border."""
    count = len(x)
    maps = np.zeros((2, -(-max(count, 1) // _COLUMNS) * _COLUMNS), np.float32)
    maps[:, :count] = x, y
    columns, rows = (coordinate.reshape(-1, _COLUMNS) for coordinate in maps)
    colors = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colors.reshape(maps.shape[1], -1)[:count].astype(np.float32)


def blend_samples(own: tuple[Float32, Float32], mirrored: tuple[Float32, Float32]) -> NDArray[np.uint8]:
    """Colors (n, 3) of points: their own if visible, else those of their mirror image, else the median visible color.

    Args:
        own, mirrored: samples of the points and of their mirror images, from `sample`.
    """
    (color, visibility), (other, other_visibility) = own, mirrored
    clear = color[visibility > 0.5]
    median = np.median(clear, axis=0) if len(clear) else np.full(3, _GRAY)
    weights = np.stack([visibility, other_visibility * (_MIRRORED + 0.98 * (1 - visibility))])
    remainder = np.clip(1 - weights.sum(axis=0), 0.0, 1.0)
    total = weights.sum(axis=0) + remainder
    mixed = weights[0, :, None] * color + weights[1, :, None] * other + remainder[:, None] * median
    return np.round(np.clip(mixed / total[:, None], 0, 255)).astype(np.uint8)


def mirror_indices(model: MorphableModel) -> NDArray[np.int32]:
    """(V,) index of each vertex's mirror image, or of the vertex itself if there is none."""
    return _mirror(ModelKey(model))


@functools.lru_cache(maxsize=2)
def _mirror(key: ModelKey) -> NDArray[np.int32]:
    model = key.model
    if len(model.mirror):
        return model.mirror
    vertices = np.asarray(model.mean, np.float64)
    by_height = np.argsort(vertices[:, 1])
    heights, found = vertices[by_height, 1], np.arange(len(vertices), dtype=np.int32)
    for block in np.array_split(by_height, len(vertices) // 256 + 1):  # a counterpart has about the same height
        reach = vertices[block[[0, -1]], 1] + [-_MIRROR_REACH, _MIRROR_REACH]
        near = by_height[slice(*np.searchsorted(heights, reach))]
        offsets = (vertices[block] * [-1, 1, 1])[:, None] - vertices[near]
        squared = np.einsum("bnk,bnk->bn", offsets, offsets)
        nearest = squared.argmin(axis=1)
        close = squared[np.arange(len(block)), nearest] < _MIRROR_REACH**2
        found[block[close]] = near[nearest[close]]
    return found
