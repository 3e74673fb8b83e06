"""What detectors share: boxes that say the same, and images that are too large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, Roi

Image = NDArray[np.uint8]

_AROUND = 2.5  # side of what is cut out around a box, in boxes


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two boxes, 0..1."""
    union = a.width * a.height + b.width * b.height - _shared(a, b)
    return _shared(a, b) / union if union > 0 else 0.0


def containment(a: Roi, b: Roi) -> float:
    """How much of the smaller of two boxes lies in the other, 0..1."""
    smaller = min(a.width * a.height, b.width * b.height)
    return _shared(a, b) / smaller if smaller > 0 else 0.0


def _shared(a: Roi, b: Roi) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0)


def best_of(detections: Sequence[Detection], most: float) -> list[Detection]:
    """Non-maximum suppression: the best first, without those that overlap a better one by more than ``most``."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if all(overlap(detection.roi, other.roi) <= most for other in kept):
            kept.append(detection)
    return kept


def shrink(image: Image, longest: int) -> tuple[Image, float]:
    """The image with no side above ``longest`` pixels, and by what it was multiplied."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1.0:
        return image, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def cut_out(image: Image, roi: Roi) -> tuple[int, int, Image]:
    """Left, top and pixels of the part of an image around a box; no pixels where they do not overlap."""
    x, y = roi.x + roi.width / 2, roi.y + roi.height / 2
    reach = _AROUND * max(roi.width, roi.height) / 2
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    return left, top, image[top : max(top, math.ceil(y + reach)), left : max(left, math.ceil(x + reach))]


def moved(detection: Detection, x: float, y: float) -> Detection:
    """A detection in a part of an image, in the image; the part begins at x, y."""
    return replace(detection, roi=replace(detection.roi, x=detection.roi.x + x, y=detection.roi.y + y))
