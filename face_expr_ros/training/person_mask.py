"""Segmentation of the person in a photograph with MediaPipe's selfie segmentation."""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def person_mask(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) float32, 0..1: mask of the person in a BGR image (H, W, 3)."""
    found = _segmenter().process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).segmentation_mask
    return np.asarray(found, np.float32)


@functools.cache
def _segmenter() -> Any:
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    return SelfieSegmentation(model_selection=0)
