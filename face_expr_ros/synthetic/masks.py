"""Where lips, eyelids and ears lie on the open face model's skin: MakeHuman's masks (CC0)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.resources import resource_path

Float32 = NDArray[np.float32]

# Left, top, right and bottom of the head in the texture square, v downwards.
HEAD_CUT = (0.64, 0.16, 1.0, 0.84)


def head_masks(uv: NDArray) -> tuple[Float32, Float32, Float32]:
    """Lips, eyelids and ears, each (n,) in 0..1, at the open model's texture coordinates (n, 2)."""
    image = cv2.imread(str(resource_path("bfm/open_face_masks.png")))
    left, top, right, bottom = HEAD_CUT
    x = (uv[:, 0] - left) / (right - left) * image.shape[1] - 0.5
    y = (1 - uv[:, 1] - top) / (bottom - top) * image.shape[0] - 0.5
    lips, lids, ears = look_up(image, x, y).T
    return lips, lids, ears


def look_up(image: NDArray[np.uint8], x: NDArray, y: NDArray) -> Float32:
    """Bilinear levels of an image (h, w, k) at pixels x, y, each (n,): (n, k) in 0..1, 0 outside.

    Places are rounded to a thirty-second of a pixel, as cv2.remap does.
    """
    width = 4096  # remap takes pictures of limited size, not long lists
    places = np.zeros((2, -(-len(x) // width), width), np.float32)
    for place, values in zip(places, (x, y), strict=True):
        place.ravel()[: len(x)] = values
    found = cv2.remap(image, places[0], places[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return found.reshape(-1, image.shape[2])[: len(x)] / np.float32(255)
