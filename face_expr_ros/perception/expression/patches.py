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
from face_expr_ros.kernels.patches import cut_squares, gray_of, place_squares
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


_PAIRS = np.array([(part.points[0], part.points[-1]) for part in PARTS.values()], np.intp)
_OFFSETS = np.array([part.offset for part in PARTS.values()])
_DOWN = np.array([part.size / (SIDE * _FINE) for part in PARTS.values()])
_ACROSS = _DOWN * [-1.0 if part.mirrored else 1.0 for part in PARTS.values()]


def cut_patches(image: Image, points: FloatArray, alignment: Alignment, margin: int = 0) -> Image:
    """(len(PARTS), SIDE + 2 margin, SIDE + 2 margin) gray; black outside the image.

    Args:
        image: (height, width, 3) BGR or (height, width) gray.
        points: (478, >= 2) FaceMesh's points in image pixels.
        alignment: of these points.
        margin: additional pixels on all sides.
    """
    side = SIDE + 2 * margin
    maps, bounds = place_squares(
        points, _PAIRS, _OFFSETS, _ACROSS, _DOWN, alignment.rotation, alignment.scale, _MIN_AXIS, side * _FINE
    )
    reduced, left, top, step = _reduced(image, bounds, alignment.scale)
    return cut_squares(reduced, maps, side, (left, top), step)


def _reduced(image: Image, bounds: tuple[float, float, float, float], scale: float) -> tuple[Image, int, int, int]:
    """The part of the image within bounds, gray and reduced; its left and top in the image, and the reduction factor.

    Pixels are averaged in squares of side 2, 4, 8 ... aligned to the image's corner, so that an image of twice the size
    gives the same result.
    """
    step = 2 ** max(0, math.floor(math.log2(max(scale, 1.0) / _RESOLUTION)))
    left, right = _span(bounds[0], bounds[1], image.shape[1] // step, step)
    top, bottom = _span(bounds[2], bounds[3], image.shape[0] // step, step)
    part = image[top:bottom, left:right]
    if step > 1:
        size = ((right - left) // step, (bottom - top) // step)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return gray_of(part) if image.ndim == 3 else part, left, top, step


def _span(low: float, high: float, count: int, step: int) -> tuple[int, int]:
    """The range of pixels for coordinates from low to high with a margin, because the kernel is slower at edges; at
    least one of the ``count`` squares."""
    first = min(max(math.floor(low / step) - _MARGIN, 0), max(count - 1, 0))
    last = min(max(math.ceil(high / step) + _MARGIN, first + 1), max(count, first + 1))
    return first * step, last * step
