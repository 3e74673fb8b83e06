"""Boxes in images: overlap, non-maximum suppression, scaling and cropping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, Roi

Image = NDArray[np.uint8]

_MARGIN = 2.5  # side of the part that is cut out around a box, in sides of the box


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two boxes, 0..1."""
    union = a.width * a.height + b.width * b.height - _intersection(a, b)
    return _intersection(a, b) / union if union > 0 else 0.0


def containment(a: Roi, b: Roi) -> float:
    """The part of the smaller of two boxes that lies in the other, 0..1."""
    smaller = min(a.width * a.height, b.width * b.height)
    return _intersection(a, b) / smaller if smaller > 0 else 0.0


def _intersection(a: Roi, b: Roi) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0)


def best_of(detections: Sequence[Detection], max_overlap: float) -> list[Detection]:
    """Non-maximum suppression, highest score first: drops those that overlap a better one by more than max_overlap."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if all(overlap(detection.roi, other.roi) <= max_overlap for other in kept):
            kept.append(detection)
    return kept


def shrink(image: Image, max_side: int) -> tuple[Image, float]:
    """The image scaled down so that no side exceeds ``max_side`` pixels, and the scale."""
    height, width = image.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1.0:
        return image, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def reduced(image: Image, max_side: int) -> Image:
    """The image with squares of 2, 3, 4 ... pixels averaged, so that no side exceeds ``max_side`` pixels.

    Twice as fast as `shrink` for any scale. What is left over at the right and at the bottom is dropped; the factor is
    `reduction` of the image.
    """
    factor = reduction(image, max_side)
    if factor == 1:
        return image
    height, width = (max(1, side // factor) for side in image.shape[:2])
    whole = image[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def reduction(image: Image, max_side: int) -> int:
    """The side of the squares of `reduced`, pixels."""
    return max(1, math.ceil(max(image.shape[:2]) / max_side))


def cut_out(image: Image, roi: Roi) -> tuple[int, int, Image]:
    """Left, top and pixels of the part of an image around a box; no pixels where they do not overlap."""
    x, y = roi.x + roi.width / 2, roi.y + roi.height / 2
    reach = _MARGIN * max(roi.width, roi.height) / 2
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    return left, top, image[top : max(top, math.ceil(y + reach)), left : max(left, math.ceil(x + reach))]


def moved(detection: Detection, x: float, y: float) -> Detection:
    """A detection shifted by (x, y) pixels: from a part of an image that starts there to the image."""
    return replace(detection, roi=replace(detection.roi, x=detection.roi.x + x, y=detection.roi.y + y))


def roi_to_list(roi: Roi) -> list[float]:
    """x, y, width and height, for a state_dict."""
    return [float(value) for value in (roi.x, roi.y, roi.width, roi.height)]


def roi_from_list(values: Sequence[float]) -> Roi:
    """The inverse of `roi_to_list`."""
    return Roi(*values)


def detection_to_list(detection: Detection) -> list[float]:
    """x, y, width, height, score and roll, for a state_dict."""
    return [*roi_to_list(detection.roi), float(detection.score), float(detection.roll)]


def detection_from_list(values: Sequence[float]) -> Detection:
    """The inverse of `detection_to_list`."""
    return Detection(Roi(*values[:4]), *values[4:])
