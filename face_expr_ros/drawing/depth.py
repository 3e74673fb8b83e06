"""Depth images and projected normalized coordinate codes (PNCC) of fitted faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, FaceFit, FloatArray
from face_expr_ros.drawing import surface
from face_expr_ros.kernels import rasterizer

Image = NDArray[np.uint8]

_FARTHEST = 32  # gray level of the farthest point; pixels without a face are 0
_FACING = np.array([0.0, 0.0, -1.0], np.float32)
_PLAIN = np.array([[[255, 255, 255, 0]]], np.uint8)
_FLAT_LIGHT = np.tile(np.array([1, 1, 1, 0, 0, 0, 0, 0], np.float32), (1, 2, 2, 1))


def depth_image(fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, width: int, height: int) -> Image:
    """The z-buffer of all faces as gray levels (height, width, 3): nearest 255, farthest 32, no face 0.

    Gray levels are linear in the depth along the optical axis, with one scale for all faces of the image.
    """
    front = surface.front(model)
    image = np.zeros((height, width, 3), np.uint8)
    projected = surface.project_faces(fits, model, camera, height)
    if not projected:
        return image
    depths = np.concatenate([face.pixels[front.vertices, 2] for face in projected])
    near, far = float(depths.min()), float(depths.max())
    step = (255 - _FARTHEST) / max(far - near, 1e-6)
    for tile in surface.tiles(projected, front, width, height):
        level = np.clip(255 - (tile.depth - near) * step, _FARTHEST, 255)
        image[tile.window] = np.where(np.isfinite(tile.depth), np.round(level), 0).astype(np.uint8)[..., None]
    return image


def pncc_image(fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, width: int, height: int) -> Image:
    """The projected normalized coordinate code of all faces (Zhu et al., CVPR 2016): (height, width, 3) BGR.

    Each pixel encodes its position on the mean face: x in red, y in green, z in blue, 0..255; no face is black.
    """
    front = surface.front(model)
    image = np.zeros((height, width, 3), np.uint8)
    projected = surface.project_faces(fits, model, camera, height)
    tint = np.ascontiguousarray(normalized_coordinates(model)[:, ::-1], np.float32)
    shading = rasterizer.Shading(np.broadcast_to(_FACING, tint.shape), tint, _PLAIN, _FLAT_LIGHT)
    for tile in surface.tiles(projected, front, width, height):
        canvas = surface.shade(tile, projected, front, [shading] * len(projected))
        image[tile.window] = np.round(np.clip(canvas[..., :3], 0, 1) * 255).astype(np.uint8)
    return image


def normalized_coordinates(model: MorphableModel) -> FloatArray:
    """(V, 3) x, y, z of the mean face, each scaled to 0..1 over the front of the face and clipped."""
    used = model.mean[surface.front(model).vertices]
    low, high = used.min(axis=0), used.max(axis=0)
    return np.clip((model.mean - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)
