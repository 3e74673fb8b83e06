"""What detectors share: boxes that say the same, windows of an image, images that are too large."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.values import FloatArray, Roi

Image = NDArray[np.uint8]


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    union = a.width * a.height + b.width * b.height - shared
    return shared / union if union > 0 else 0.0


def suppress(boxes: FloatArray, scores: FloatArray, most: float) -> list[int]:
    """Non-maximum suppression: the indices of the boxes that stay, the best first.

    Args:
        boxes: (n, 4) left, top, right, bottom.
        scores: (n,).
        most: intersection over union with a better box, above which a box goes.
    """
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[left, :2], boxes[best, :2])
        high = np.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = np.prod(np.maximum(high - low, 0.0), axis=1)
        left = left[shared <= most * (area[left] + area[best] - shared)]
    return kept


def shrink(image: Image, longest: int) -> tuple[Image, float]:
    """The image with no side above ``longest`` pixels, and by what it was multiplied."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1.0:
        return image, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale
