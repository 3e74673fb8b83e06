"""What the numbers of a TDDFA network mean (3DDFA_V2: Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face
Alignment", 2020): pure functions of arrays.

p = output * std + mean. The first 12 are the row-major (3, 4) matrix ``[f R | t]`` that takes model points to x right
and y up in pixels of the crop, counted from 1; then come the shape and the expression coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray, Roi

POSE_COUNT = 12
_HALF_CONFIDENT = 0.11  # distortion of a matrix that is as likely of a face as not
_LARGEST_PADDED = 1024  # pixels; a larger crop that reaches outside the image is thinned before it is padded


def crop_pixels(image: NDArray[np.uint8], crop: Roi) -> NDArray[np.uint8] | None:
    """The pixels (h, w, 3) of a crop, its corners rounded, black outside the image; None where there is nothing to see.

    Inside the image it is a view; a crop that reaches outside is copied, at most _LARGEST_PADDED pixels square or so.
    """
    corners = np.array([crop.x, crop.y, crop.x + crop.width, crop.y + crop.height])
    if not np.isfinite(corners).all():
        return None
    x0, y0, x1, y1 = (round(corner) for corner in corners.tolist())
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, image.shape[1]), min(y1, image.shape[0])
    if left >= right or top >= bottom:
        return None
    seen = image[top:bottom, left:right]
    margins = (top - y0, y1 - bottom, left - x0, x1 - right)
    if not any(margins):
        return seen
    step = max(1, (x1 - x0) // _LARGEST_PADDED, (y1 - y0) // _LARGEST_PADDED)
    thin = np.ascontiguousarray(seen[::step, ::step])
    return cv2.copyMakeBorder(thin, *(margin // step for margin in margins), borderType=cv2.BORDER_CONSTANT)


def network_input(pixels: Sequence[NDArray[np.uint8]], size: int) -> NDArray[np.float32]:
    """(n, 3, size, size): crops (h, w, 3) BGR, resized bilinearly, (x - 127.5) / 128."""
    return cv2.dnn.blobFromImages(pixels, 1 / 128, (size, size), (127.5, 127.5, 127.5))


def in_image(
    parameters: FloatArray, crops: Sequence[Roi], size: int, height: int, model_unit: float, origin: FloatArray
) -> FloatArray:
    """The weak perspectives (n, 3, 4) of the whole image (`geometry.weak_perspective`) from those of crops.

    Args:
        parameters: (n, >= 12), the network's.
        crops: what it looked at, image pixels, not rounded: upstream rounds only where it cuts.
        size: pixels of the network's input; height: rows of the image.
        model_unit: meters per unit of the network's model.
        origin: (3,) meters, what was subtracted from the network's model to have the sellion at the origin.
    """
    matrices = np.asarray(parameters[:, :POSE_COUNT], dtype=np.float64).reshape(-1, 3, 4)
    turns = matrices[:, :, :3] / model_unit
    x, y, _ = (matrices[:, :, 3] + turns @ origin).T
    left, top, *sides = np.array([(crop.x, crop.y, crop.width, crop.height) for crop in crops]).T
    across, down = np.divide(sides, size)
    scales = np.column_stack([across, down, (across + down) / 2])
    # Where the crop's pixel (x - 1, size - y) lies in the image, and that again counted from 1 and from below.
    places = [left + (x - 1) * across + 1, height - top - (size - y) * down, np.zeros(len(crops))]
    return np.concatenate([turns * scales[:, :, None], np.column_stack(places)[:, :, None]], axis=2)


def distortion(matrices: FloatArray) -> FloatArray:
    """(n,) how far matrices (n, 3, 3) are from scaled rotations.

    It is the logarithm of the largest singular value over the smallest, and infinite where a matrix mirrors or is flat.
    """
    proper = np.linalg.det(matrices) > 0.0
    singular = np.linalg.svd(matrices, compute_uv=False)
    off = np.full(len(matrices), np.inf)
    off[proper] = np.log(singular[proper, 0] / singular[proper, 2])
    return off


def confidence_from(distortion: FloatArray) -> FloatArray:
    """0..1 by the distortion of the ``f R`` of a network that was never told that it should be a scaled rotation.

    On a face its nine numbers agree on one rotation to a few percent; on anything else they do not, and they disagree
    more the further the 68 points are off. docs/decisions.md has the rates.
    """
    return 0.5 ** ((distortion / _HALF_CONFIDENT) ** 2)
