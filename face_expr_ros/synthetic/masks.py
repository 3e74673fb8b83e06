"""Masks of lips, eyelids and ears in the open face model's texture space, from MakeHuman (CC0)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.resources import resource_path

Float32 = NDArray[np.float32]

# Left, top, right and bottom of the head in the texture square, v downwards.
HEAD_CUT = (0.64, 0.16, 1.0, 0.84)


def head_masks(uv: NDArray) -> tuple[Float32, Float32, Float32]:
    """Mask values of lips, eyelids and ears, each (n,) in 0..1, at the open model's texture coordinates (n, 2)."""
    image = cv2.imread(str(resource_path("bfm/open_face_masks.png")))
    left, top, right, bottom = HEAD_CUT
    x = (uv[:, 0] - left) / (right - left) * image.shape[1] - 0.5
    y = (1 - uv[:, 1] - top) / (bottom - top) * image.shape[0] - 0.5
    lips, lids, ears = sample_bilinear(image, x, y).T
    return lips, lids, ears


def sample_bilinear(image: NDArray[np.uint8], x: NDArray, y: NDArray) -> Float32:
    """Bilinear samples (n, k) in 0..1 of an image (h, w, k) at pixels x, y, each (n,); 0 outside.

    Coordinates are rounded to 1/32 pixel by cv2.remap.
    """
    width = 4096  # cv2.remap limits the sides of its maps, so the list is reshaped
    maps = np.zeros((2, -(-len(x) // width), width), np.float32)
    for coordinate, values in zip(maps, (x, y), strict=True):
        coordinate.ravel()[: len(x)] = values
    sampled = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return sampled.reshape(-1, image.shape[2])[: len(x)] / np.float32(255)
