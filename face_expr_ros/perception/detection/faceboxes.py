"""FaceBoxes (Zhang et al., 2017) as 3DDFA_V2 ships it: prior boxes, decoding and non-maximum suppression."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, FloatArray, Roi
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.perception.detection.boxes import best_of, cut_out, moved, overlap, shrink

_MEAN = np.array([104.0, 117.0, 123.0], dtype=np.float32)  # of blue, green and red in the training images
_MAX_SIDE = 640  # pixels
_THOROUGH_SIDE = 1280  # pixels; four times the cost, for faces of half the size
_CLOSE_SIDE = 256  # pixels; of the part around one face
_PAD_TO = 32  # pixels; images smaller than one cell have no priors
# One row for each feature map: its step in pixels, and the sizes of its priors with their count per cell side.
_MAPS = ((32, ((32, 4), (64, 2), (128, 1))), (64, ((256, 1),)), (128, ((512, 1),)))
_CENTER_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_MAX_OVERLAP = 0.3


class FaceBoxes:
    """Finds faces of at least about 20 pixels, also in profile, in the image scaled to 640 pixels; roll is always 0."""

    def __init__(self, path: Path, min_score: float) -> None:
        """Loads the network. Raises BundleError if it cannot be read."""
        self._network = open_network(path, ["input"])
        self._min_score = min_score

    def __call__(
        self, image: NDArray[np.uint8], thorough: bool = False, tracked: Sequence[Roi] = ()
    ) -> list[Detection]:
        """The faces in a (height, width, 3) BGR image, best first; `thorough` finds smaller ones at a higher cost."""
        return self._search(image, _THOROUGH_SIDE if thorough else _MAX_SIDE)

    def closer(self, image: NDArray[np.uint8], roi: Roi) -> Detection | None:
        """The face in a box of an image, searched in the part around it; None if there is none."""
        left, top, part = cut_out(image, roi)
        found = [moved(detection, left, top) for detection in self._search(part, _CLOSE_SIDE)] if part.size else []
        same = [detection for detection in found if overlap(detection.roi, roi) >= _MAX_OVERLAP]
        return max(same, key=lambda detection: detection.score, default=None)

    def _search(self, image: NDArray[np.uint8], max_side: int) -> list[Detection]:
        """The faces in the image, scaled down so that no side exceeds ``max_side`` pixels."""
        small, scale = shrink(image, max_side)
        padding = [(0, max(0, _PAD_TO - side)) for side in small.shape[:2]]
        pixels = np.pad(small - _MEAN, (*padding, (0, 0)))
        offsets, probabilities = self._network(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        scores = probabilities[0, :, 1]  # column 0 is the background
        good = np.flatnonzero(scores >= self._min_score)
        boxes = decode(offsets[0][good], priors(*pixels.shape[:2])[good]) / scale
        return best_of([_detection(*pair) for pair in zip(boxes, scores[good], strict=True)], _MAX_OVERLAP)

    def reset(self) -> None:
        """There is no state."""

    def state_dict(self) -> dict[str, Any]:
        """There is no state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is no state."""

    def close(self) -> None:
        """Nothing to free."""


@lru_cache(maxsize=8)
def priors(height: int, width: int) -> FloatArray:
    """(n, 4) center x, center y, width and height of the prior boxes of an image, pixels from its corner.

    Small ones are denser than one per cell: 4 x 4 of 32 pixels, 2 x 2 of 64 (densification, section 3.2).
    """
    rows = []
    for step, sizes in _MAPS:
        cells = itertools.product(range(math.ceil(height / step)), range(math.ceil(width / step)))
        for row, column in cells:
            for size, times in sizes:
                inside = [0.5] if times == 1 else [n / times for n in range(times)]
                rows += [((column + x) * step, (row + y) * step, size, size) for y in inside for x in inside]
    return np.array(rows, dtype=np.float64)


def decode(offsets: FloatArray, prior: FloatArray) -> FloatArray:
    """(n, 4) left, top, right and bottom from the network's offsets (n, 4) to the prior boxes (n, 4)."""
    center = prior[:, :2] + offsets[:, :2] * _CENTER_VARIANCE * prior[:, 2:]
    half = prior[:, 2:] * np.exp(offsets[:, 2:] * _SIZE_VARIANCE) / 2
    return np.hstack([center - half, center + half])


def _detection(box: FloatArray, score: float) -> Detection:
    left, top, right, bottom = map(float, box - 0.5)  # the center of the first pixel is (0, 0)
    return Detection(Roi(left, top, right - left, bottom - top), float(score), roll=0.0)
