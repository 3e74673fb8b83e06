"""The image's colors brought onto the surface of a fitted face."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import Float32, bounding_box
from face_expr_ros.drawing.surface import Placed
from face_expr_ros.kernels import rasterizer

_GRAZING, _FACING = 0.2, 0.5  # cosines to the viewer between which a place begins to count as seen
_RIM = 0.07  # of the face's size: as near to its border as this, the image counts less
_BEHIND = 0.004  # meters that a place may lie behind the z-buffer and still be seen
_MIRROR_REACH = 0.006  # meters between a vertex's mirror image and the vertex nearest to it
_MIRRORED = 0.02  # weight of the other side where a place itself is seen as well
_GRAY = 128.0
_COLUMNS = 4096  # cv2.remap's maps may not be wider than 32,767


@dataclass(frozen=True)
class View:
    """The part of an image that shows one face, no larger than needed, and a z-buffer of all faces in it.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        depth: (h, w) float32 meters, inf where there is no face.
        rim: (h, w) float32 distance to the nearest pixel without a face, pixels: the border of a fit is rarely exact.
        scale: pixels of the view for a pixel of the image; offset: (2,) the image's pixel at the view's corner.
    """

    image: NDArray[np.uint8]
    depth: Float32
    rim: Float32
    scale: float
    offset: Float32

    def pixels(self, pixels: Float32) -> Float32:
        """Points (n, 3) of `Placed.pixels` in the view's own pixels."""
        return _in_view(pixels, self.scale, self.offset)


def look_at(image: NDArray[np.uint8], one: Placed, others: Sequence[Placed], model: MorphableModel, size: int) -> View:
    """The view of one face, reduced to about `size` pixels where the image shows it larger.

    Args:
        others: all faces of the image, this one too: what lies before it hides it.
    """
    solid = surface.whole(model)
    height, width = image.shape[:2]
    box = bounding_box([one.pixels[surface.front(model).vertices]], width, height) or (0, 0, 1, 1)
    left, top, right, bottom = box
    scale = min(1.0, size / max(right - left, bottom - top))
    shape = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    reduced = cv2.resize(image[top:bottom, left:right], shape, interpolation=cv2.INTER_AREA)
    offset = np.array([left, top], np.float32)
    target = rasterizer.Target(*shape, samples=1)
    for other in others:
        rasterizer.draw(target, _in_view(other.pixels, scale, offset), solid.mesh.triangles)
    with np.errstate(divide="ignore"):
        depth = np.float32(1) / target.inverse_depth
    rim = cv2.distanceTransform(np.isfinite(depth).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return View(np.asarray(reduced, np.uint8).reshape(shape[1], shape[0], 3), depth, rim, scale, offset)


def _in_view(pixels: Float32, scale: float, offset: Float32) -> Float32:
    moved = pixels.copy()
    moved[:, :2] = (pixels[:, :2] - offset + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    return moved


def sample(view: View, places: Float32) -> tuple[Float32, Float32]:
    """What the image shows at places of the surface.

    Args:
        places: (n, 4) x, y in the view's pixels, z in meters, cosine between the surface's normal and the viewer.
    Returns:
        (n, 3) blue, green, red, bilinear; and (n,) how well each place is seen, 0 (hidden) to 1.
    """
    x, y, _, cosine = np.ascontiguousarray(places.T)
    facing = np.clip((cosine - _GRAZING) / (_FACING - _GRAZING), 0.0, 1.0)
    inside = np.clip(_bilinear(view.rim, x, y)[:, 0] / (_RIM * max(view.rim.shape)), 0.0, 1.0)
    seen = facing * inside * rasterizer.visible_vertices(places[:, :3], view.depth, _BEHIND)
    return _bilinear(view.image, x, y), seen.astype(np.float32)


def _bilinear(image: NDArray, x: Float32, y: Float32) -> Float32:
    """(n, channels) of an image at pixels (n,), clamped at its border."""
    count = len(x)
    maps = np.zeros((2, -(-max(count, 1) // _COLUMNS) * _COLUMNS), np.float32)
    maps[:, :count] = x, y
    across, down = (one.reshape(-1, _COLUMNS) for one in maps)
    colors = cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colors.reshape(maps.shape[1], -1)[:count].astype(np.float32)


def fused(own: tuple[Float32, Float32], mirrored: tuple[Float32, Float32]) -> NDArray[np.uint8]:
    """Colors (n, 3) of places: what is seen of them, else of their mirror image, else the median color of the seen.

    Args:
        own, mirrored: from `sample`.
    """
    (color, seen), (other, other_seen) = own, mirrored
    clear = color[seen > 0.5]
    neutral = np.median(clear, axis=0) if len(clear) else np.full(3, _GRAY)
    weights = np.stack([seen, other_seen * (_MIRRORED + 0.98 * (1 - seen))])
    rest = np.clip(1 - weights.sum(axis=0), 0.0, 1.0)
    total = weights.sum(axis=0) + rest
    mixed = weights[0, :, None] * color + weights[1, :, None] * other + rest[:, None] * neutral
    return np.round(np.clip(mixed / total[:, None], 0, 255)).astype(np.uint8)


def mirror_of(model: MorphableModel) -> NDArray[np.int32]:
    """(V,) the vertex on the other side of the face, each vertex itself where there is none."""
    return _mirror(ModelKey(model))


@functools.lru_cache(maxsize=2)
def _mirror(key: ModelKey) -> NDArray[np.int32]:
    model = key.model
    if len(model.mirror):
        return model.mirror
    distance, nearest = cKDTree(model.mean).query(model.mean * [-1, 1, 1])
    return np.where(distance < _MIRROR_REACH, nearest, np.arange(len(nearest))).astype(np.int32)
