"""What the numbers of a TDDFA network mean (3DDFA_V2: Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face
Alignment", 2020): pure functions of arrays.

p = output * std + mean. The first 12 are the row-major (3, 4) matrix ``[f R | t]`` that takes model points to x right
and y up in pixels of the crop, counted from 1; then come the shape and the expression coefficients.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.values import FloatArray, Roi

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


def network_input(pixels: list[NDArray[np.uint8]], size: int) -> NDArray[np.float32]:
    """(n, 3, size, size): crops (h, w, 3) BGR, resized bilinearly, (x - 127.5) / 128."""
    return cv2.dnn.blobFromImages(pixels, 1 / 128, (size, size), (127.5, 127.5, 127.5))


def in_image(
    parameters: FloatArray, crop: Roi, size: int, height: int, model_unit: float, origin: FloatArray
) -> FloatArray:
    """The (3, 4) weak perspective of the whole image, convention of `geometry.weak_perspective`, for a crop's numbers.

    Args:
        parameters: (>= 12,) the network's.
        crop: what it looked at, image pixels, not rounded: upstream rounds only where it cuts.
        size: pixels of the network's input; height: rows of the image.
        model_unit: meters per unit of the network's model.
        origin: (3,) meters, what was subtracted from the network's model to have the sellion at the origin.
    """
    matrix = np.asarray(parameters[:POSE_COUNT], dtype=np.float64).reshape(3, 4)
    turn = matrix[:, :3] / model_unit
    x, y = (matrix[:, 3] + turn @ origin)[:2]
    scale_x, scale_y = crop.width / size, crop.height / size
    scale = np.array([scale_x, scale_y, (scale_x + scale_y) / 2])
    # Where the crop's pixel (x - 1, size - y) lies in the image, and that again counted from 1 and from below.
    place = [crop.x + (x - 1) * scale_x + 1, height - crop.y - (size - y) * scale_y, 0.0]
    return np.column_stack([turn * scale[:, None], place])


def distortion(matrix: FloatArray) -> float:
    """How far (3, 3) is from a scaled rotation: the logarithm of its largest singular value over its smallest.

    It is infinite for a matrix that mirrors, is flat, or holds anything but numbers.
    """
    if not (np.isfinite(matrix).all() and np.linalg.det(matrix) > 0.0):
        return math.inf
    singular = np.linalg.svd(matrix, compute_uv=False)
    return math.log(singular[0] / singular[2])


def confidence_from(distortion: float) -> float:
    """0..1 by the distortion of the ``f R`` of a network that was never told that it should be a scaled rotation.

    On a face its nine numbers agree on one rotation to a few percent; on anything else they do not, and they disagree
    more the further the 68 points are off. docs/decisions.md has the rates.
    """
    return 0.5 ** ((distortion / _HALF_CONFIDENT) ** 2)
