"""Image patches of parts of a face, cut along the face's axes.

The head's rotation is undone as if the part were planar. The patch of the left eye is mirrored, so that both eyes have
the same orientation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.patches import cut_squares, gray_of
from face_expr_ros.perception.expression.alignment import Alignment

Image = NDArray[np.uint8]

SIDE = 48  # pixels of a patch
_FINE = 2  # oversampling along each axis
_RESOLUTION = 900.0  # pixels per meter; an image with more is reduced first
_MARGIN = 4  # pixels
_MIN_AXIS = 0.4  # foreshortening is undone up to a factor of 1 / this


@dataclass(frozen=True)
class _Part:
    """The place of a patch: centered at the mean of some FaceMesh points plus ``offset`` along the face's axes; its
    size, meters, and whether it is mirrored."""

    points: tuple[int, ...]
    offset: tuple[float, float]
    size: float
    mirrored: bool = False


PARTS: dict[str, _Part] = {
    "right_eye": _Part((33, 133), (0.0, 0.008), 0.052),
    "left_eye": _Part((263, 362), (0.0, 0.008), 0.052, mirrored=True),
    "mouth": _Part((2,), (0.0, -0.024), 0.074),
    "nose": _Part((197,), (0.0, -0.004), 0.066),
    "face": _Part((4, 168), (0.0, -0.010), 0.176),
}


_FIRST = np.array([part.points[0] for part in PARTS.values()])
_SECOND = np.array([part.points[-1] for part in PARTS.values()])


def cut_patches(image: Image, points: FloatArray, alignment: Alignment, margin: int = 0) -> Image:
    """(len(PARTS), SIDE + 2 margin, SIDE + 2 margin) gray; black outside the image.

    Args:
        image: (height, width, 3) BGR or (height, width) gray.
        points: (478, >= 2) FaceMesh's points in image pixels.
        alignment: of these points.
        margin: additional pixels on all sides.
    """
    side = SIDE + 2 * margin
    transforms = _transforms(points, alignment, side)
    reduced, corner, step = _reduced(image, transforms, alignment.scale, side)
    transforms[:, :, 2] += (1 - step) / 2 - corner
    return cut_squares(reduced, transforms / step, side)


def _transforms(points: FloatArray, alignment: Alignment, side: int) -> FloatArray:
    """(len(PARTS), 2, 3) from an oversampled patch's pixels to the image's; plain Python is faster than NumPy here."""
    (right_x, up_x, _), (right_y, up_y, _), _ = alignment.rotation.tolist()
    right_x, right_y = _image_axis(right_x, -right_y, alignment.scale)  # the face's x and y in the image, y down
    up_x, up_y = _image_axis(up_x, -up_y, alignment.scale)
    half = (side * _FINE - 1) / 2
    maps = []
    for part, first, second in zip(PARTS.values(), points[_FIRST].tolist(), points[_SECOND].tolist(), strict=True):
        right, up = part.offset
        x = (first[0] + second[0]) / 2 + right * right_x + up * up_x
        y = (first[1] + second[1]) / 2 + right * right_y + up * up_y
        meters = part.size / (SIDE * _FINE)
        across = -meters if part.mirrored else meters
        across_x, across_y, down_x, down_y = across * right_x, across * right_y, -meters * up_x, -meters * up_y
        maps.append([
            [across_x, down_x, x - half * (across_x + down_x)],
            [across_y, down_y, y - half * (across_y + down_y)],
        ])  # fmt: skip
    return np.array(maps)


def _image_axis(x: float, y: float, scale: float) -> tuple[float, float]:
    """An axis of the face in the image, pixels per meter, with a minimum length that limits the foreshortening."""
    length = math.sqrt(x * x + y * y)
    factor = scale * max(length, _MIN_AXIS) / max(length, 1e-9)
    return factor * x, factor * y


def _reduced(image: Image, transforms: FloatArray, scale: float, side: int) -> tuple[Image, NDArray[np.int64], int]:
    """The part of the image that the patches show, gray and reduced; its corner in the image, and the reduction factor.

    Pixels are averaged in squares of side 2, 4, 8 ... aligned to the image's corner, so that an image of twice the size
    gives the same result.
    """
    step = 2 ** max(0, math.floor(math.log2(max(scale, 1.0) / _RESOLUTION)))
    end = side * _FINE - 1
    rows = [
        [(start + min(end * across, 0.0) + min(end * down, 0.0), start + max(end * across, 0.0) + max(end * down, 0.0))
         for across, down, start in axis]
        for axis in transforms.transpose(1, 0, 2).tolist()
    ]  # fmt: skip
    (left, right), (top, bottom) = (
        _span(min(low for low, _ in axis), max(high for _, high in axis), size // step, step)
        for axis, size in zip(rows, (image.shape[1], image.shape[0]), strict=True)
    )
    part = image[top:bottom, left:right]
    if step > 1:
        size = ((right - left) // step, (bottom - top) // step)
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    part = np.asarray(part, np.uint8)
    return gray_of(part) if image.ndim == 3 else part, np.array([left, top]), step


def _span(low: float, high: float, count: int, step: int) -> tuple[int, int]:
    """The range of pixels for coordinates from low to high with a margin, because the kernel is slower at edges; at
    least one of the ``count`` squares."""
    first = min(max(math.floor(low / step) - _MARGIN, 0), max(count - 1, 0))
    last = min(max(math.ceil(high / step) + _MARGIN, first + 1), max(count, first + 1))
    return first * step, last * step
