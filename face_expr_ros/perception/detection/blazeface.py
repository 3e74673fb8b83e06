"""MediaPipe's BlazeFace networks on LiteRT: anchors, decoding and weighted non-maximum suppression.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The constants are those of
MediaPipe's graphs `face_detection_short_range` and `face_detection_full_range`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.regions import warp_affine
from face_expr_ros.models.litert_model import LitertModel
from face_expr_ros.perception.detection.boxes import reduced, reduction
from face_expr_ros.perception.detection.two_range import CANDIDATE_SCORE, MAX_SIDE, Image, RawFace

_MIN_OVERLAP = 0.3  # intersection over union above which two detections are averaged
_MAX_LOGIT = 80.0  # beyond, the sigmoid of a float32 is 0 or 1
_POINTS = 8  # of a detection: the box's center and its size, then six keypoints
_ANCHORS = {  # by the side of the input in pixels: rows of each grid, and anchors in each of its cells
    128: ((16, 2), (8, 6)),
    192: ((48, 1),),
}


class BlazeFace:
    """One of the two networks, for images of any size.

    Args:
        path: the file of the network.
        min_score: minimum score of an anchor's detection; overlapping detections above it are averaged.

    Raises:
        BundleError: the file is not a network that LiteRT can run.
    """

    def __init__(self, path: Path, min_score: float = CANDIDATE_SCORE) -> None:
        self._network = LitertModel(path)
        self._min_score = min_score
        self._side = self._network.inputs[0].shape[1]
        self._anchors = _anchors(self._side)

    def __call__(self, image: Image, small: Image | None = None) -> list[RawFace]:
        """The faces in a (height, width, 3) BGR image, best first; ``small`` is the `reduced` image, if available."""
        if not image.size:
            return []
        if small is None:
            small = reduced(image, MAX_SIDE)
        offsets, logits = self._network(_letterbox(small, self._side)[None])
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -_MAX_LOGIT, _MAX_LOGIT)))
        rows = np.flatnonzero(scores >= self._min_score)
        faces = _decoded(offsets[0, rows].astype(np.float64) / self._side, self._anchors[rows])
        factor = reduction(image, MAX_SIDE)
        height, width = small.shape[0] * factor, small.shape[1] * factor
        faces = (faces - 0.5) * max(height, width) + [width / 2 - 0.5, height / 2 - 0.5]
        return [RawFace(points[:2], points[2:], score) for points, score in _averaged(faces, scores[rows])]

    def close(self) -> None:
        """Free the network."""


def _anchors(side: int) -> FloatArray:
    """(n, 2) x and y of the anchors, relative to the input."""
    grids = [
        np.repeat((np.indices((rows, rows))[::-1].reshape(2, -1).T + 0.5) / rows, count, axis=0)
        for rows, count in _ANCHORS[side]
    ]
    return np.concatenate(grids)


def _letterbox(image: Image, side: int) -> NDArray[np.float32]:
    """(side, side, 3) RGB in -1..1: the whole image in the middle of a black square.

    It is sampled as MediaPipe does: coordinates relative to the corner of the first pixel are used as if relative to
    its center.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    scale = longest / side
    transform = np.array([[scale, 0.0, (width - longest) / 2], [0.0, scale, (height - longest) / 2]])
    small = warp_affine(image, transform, (side, side), black=True)
    return small * np.float32(2 / 255) - np.float32(1.0)


def _decoded(offsets: FloatArray, anchors: FloatArray) -> FloatArray:
    """(n, 8, 2) the box's upper left and lower right corner and the keypoints, of offsets (n, 16) from anchors (n, 2),
    all relative to the input."""
    points = offsets.reshape(-1, _POINTS, 2)
    half = points[:, 1] / 2
    return np.stack([points[:, 0] - half, points[:, 0] + half, *points[:, 2:].swapaxes(0, 1)], 1) + anchors[:, None]


def _averaged(faces: FloatArray, scores: FloatArray) -> Iterator[tuple[FloatArray, float]]:
    """Weighted non-maximum suppression of faces (n, 8, 2), best first.

    Overlapping faces are averaged with their scores as weights; the result has the best of their scores.
    """
    order = np.argsort(-scores, kind="stable")
    while len(order):
        near = _overlaps(faces[order[0], :2], faces[order, :2]) > _MIN_OVERLAP
        near[0] = True  # a box of no size overlaps nothing
        same = order[near]
        yield np.average(faces[same], axis=0, weights=scores[same]), float(scores[order[0]])
        order = order[~near]


def _overlaps(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """(n,) intersection over union of a box (2, 2), its two corners, with boxes (n, 2, 2)."""
    shared = _area(np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0]))
    union = _area(box[1] - box[0]) + _area(boxes[:, 1] - boxes[:, 0]) - shared
    result: FloatArray = shared / np.maximum(union, 1e-9)
    return result


def _area(size: FloatArray) -> FloatArray:
    """Of boxes of a size (..., 2); 0 where a side is negative."""
    clipped = np.maximum(size, 0.0)
    result: FloatArray = clipped[..., 0] * clipped[..., 1]
    return result
