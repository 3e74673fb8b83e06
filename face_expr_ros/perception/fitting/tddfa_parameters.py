"""Inputs and outputs of a TDDFA network (3DDFA_V2: Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face
Alignment", 2020): pure functions of arrays.

p = output * std + mean. The first 12 values are the row-major (3, 4) matrix ``[f R | t]`` that maps model points to
pixels of the crop, x right and y up, counted from 1; shape and expression coefficients follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray, Roi

POSE_COUNT = 12
_HALF_CONFIDENCE = 0.11  # distortion at which the confidence is 0.5
_MAX_PADDED = 1024  # pixels; a larger crop that reaches outside the image is subsampled before it is padded


def crop_pixels(image: NDArray[np.uint8], crop: Roi) -> NDArray[np.uint8] | None:
    """The pixels (h, w, 3) of a crop, its corners rounded, black outside the image; None if it is all outside.

    A crop inside the image is a view; one that reaches outside is a copy of at most about _MAX_PADDED pixels square.
    """
    corners = np.array([crop.x, crop.y, crop.x + crop.width, crop.y + crop.height])
    if not np.isfinite(corners).all():
        return None
    x0, y0, x1, y1 = (round(corner) for corner in corners.tolist())
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, image.shape[1]), min(y1, image.shape[0])
    if left >= right or top >= bottom:
        return None
    inside = image[top:bottom, left:right]
    margins = (top - y0, y1 - bottom, left - x0, x1 - right)
    if not any(margins):
        return inside
    step = max(1, (x1 - x0) // _MAX_PADDED, (y1 - y0) // _MAX_PADDED)
    subsampled = np.ascontiguousarray(inside[::step, ::step])
    return cv2.copyMakeBorder(subsampled, *(margin // step for margin in margins), borderType=cv2.BORDER_CONSTANT)


def network_input(pixels: Sequence[NDArray[np.uint8]], size: int) -> NDArray[np.float32]:
    """(n, 3, size, size): crops (h, w, 3) BGR, resized bilinearly, (x - 127.5) / 128."""
    return cv2.dnn.blobFromImages(pixels, 1 / 128, (size, size), (127.5, 127.5, 127.5))


def in_image(
    parameters: FloatArray, crops: Sequence[Roi], size: int, height: int, model_unit: float, origin: FloatArray
) -> FloatArray:
    """Convert the weak perspectives of crops to those of the whole image (n, 3, 4), see `geometry.weak_perspective`.

    Args:
        parameters: (n, >= 12), the network's.
        crops: image pixels, not rounded: upstream rounds only to cut.
        size: side of the network's input, pixels; height: rows of the image.
        model_unit: meters per unit of the network's model.
        origin: (3,) meters, the sellion in the network's model.
    """
    matrices = np.asarray(parameters[:, :POSE_COUNT], dtype=np.float64).reshape(-1, 3, 4)
    rotations = matrices[:, :, :3] / model_unit
    x, y, _ = (matrices[:, :, 3] + rotations @ origin).T
    left, top, *sides = np.array([(crop.x, crop.y, crop.width, crop.height) for crop in crops]).T
    across, down = np.divide(sides, size)
    scales = np.column_stack([across, down, (across + down) / 2])
    # The crop's pixel (x - 1, size - y) in the image, again counted from 1 and upwards.
    translations = [left + (x - 1) * across + 1, height - top - (size - y) * down, np.zeros(len(crops))]
    return np.concatenate([rotations * scales[:, :, None], np.column_stack(translations)[:, :, None]], axis=2)


def distortion(matrices: FloatArray) -> FloatArray:
    """(n,) deviation of matrices (n, 3, 3) from scaled rotations.

    The logarithm of the largest over the smallest singular value; infinite for a reflection or a singular matrix.
    """
    proper = np.linalg.det(matrices) > 0.0
    singular = np.linalg.svd(matrices, compute_uv=False)
    result = np.full(len(matrices), np.inf)
    result[proper] = np.log(singular[proper, 0] / singular[proper, 2])
    return result


def confidence_from(distortion: FloatArray) -> FloatArray:
    """Confidence 0..1 from the distortion of ``f R``, for a network whose output is not constrained to rotations.

    For a face the nine values are a scaled rotation within a few percent; otherwise they are not, and the distortion
    grows with the error of the 68 points. docs/decisions.md has the rates.
    """
    return 0.5 ** ((distortion / _HALF_CONFIDENCE) ** 2)
