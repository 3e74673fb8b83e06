"""Where a face is, from points that expressions do not move: FaceMesh's points in the face's own axes.

What comes out does not change when the points are moved, scaled or turned in the image: the similarity that takes them
away is the one that lays the steady points best on those of a canonical face (Umeyama, 1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.points import transformed
from face_expr_ros.kernels.similarity import umeyama_alignment
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

# Bridge and back of the nose, its base; forehead; temples; the corners of the eyes.
STEADY = np.array([
    168, 6, 197, 195, 5, 4, 1, 2, 94, 193, 417, 122, 351, 245, 465, 188, 412,
    10, 151, 9, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 69, 299, 108, 337, 104, 333,
    162, 389, 234, 454, 139, 368, 227, 447,
    33, 133, 362, 263,
])  # fmt: skip
_TO_FACE = np.array([1.0, -1.0, -1.0])  # FaceMesh's y points down and its z away from the camera
CENTIMETERS = 100.0


@dataclass(frozen=True)
class Alignment:
    """How canonical axes (x to the subject's left, y up, z out of the face, meters) appear in the image.

    Attributes:
        rotation: (3, 3) from canonical axes to the image's, there x right, y up and z to the viewer.
        scale: pixels per meter.
        origin: (2,) pixel of the canonical origin, the sellion.
        points: (478, 3) FaceMesh's points in canonical axes.
    """

    rotation: FloatArray
    scale: float
    origin: FloatArray
    points: FloatArray


def align(points: FloatArray, canonical: FloatArray) -> Alignment:
    """The alignment of FaceMesh's points (478, 3) to a canonical face (478, 3).

    Raises:
        ValueError: the points are not finite, or all in one place.
    """
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite numbers, and there are others among them")
    turn = umeyama_alignment(canonical[STEADY], points[STEADY] * _TO_FACE)
    scale = turn.reached / turn.spread
    if scale < np.finfo(np.float32).eps:
        raise ValueError("landmarks must be spread over a face, and these are in one place")
    offset = turn.image_middle - scale * turn.rotation @ turn.middle
    into = turn.rotation.T / scale
    points_there = transformed(points, into * _TO_FACE, -into @ offset)
    return Alignment(turn.rotation, scale, offset[:2] * _TO_FACE[:2], points_there)


def features(alignment: Alignment, canonical: FloatArray) -> FloatArray:
    """(FEATURES,) what landmarks say: how far the points lie from the canonical face's, centimeters, and the direction
    to the viewer in the face's axes."""
    moved = (alignment.points - canonical) * CENTIMETERS
    return np.concatenate([moved.ravel(), alignment.rotation[2]])


FEATURES = 3 * LANDMARK_COUNT + 3
