"""Aligns FaceMesh's points to a canonical face, by the points that expressions do not move.

The aligned points are invariant to translation, scale and rotation of the face: these are removed by the least-squares
similarity between the rigid points and those of the canonical face (Umeyama, 1991).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.face_alignment import align_face, describe_face
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

# Bridge and back of the nose, its base; forehead; temples; the corners of the eyes.
RIGID_POINTS = np.array([
    168, 6, 197, 195, 5, 4, 1, 2, 94, 193, 417, 122, 351, 245, 465, 188, 412,
    10, 151, 9, 67, 109, 338, 297, 103, 332, 54, 284, 21, 251, 69, 299, 108, 337, 104, 333,
    162, 389, 234, 454, 139, 368, 227, 447,
    33, 133, 362, 263,
])  # fmt: skip
_TO_IMAGE = np.array([1.0, -1.0])  # FaceMesh's y points down
_MIN_SCALE = float(np.finfo(np.float32).eps)  # pixels per meter
CENTIMETERS = 100.0


@dataclass(frozen=True)
class Alignment:
    """The transformation from canonical axes (x to the subject's left, y up, z out of the face, meters) to the image.

    Attributes:
        rotation: (3, 3) from canonical axes to image axes with x right, y up and z to the viewer.
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
    rotation, scale, offset, aligned = align_face(points, canonical, RIGID_POINTS)
    if not math.isfinite(scale):
        raise ValueError("expected finite landmarks, got NaN or infinite values")
    if scale < _MIN_SCALE:
        raise ValueError("expected landmarks spread over a face, got all of them in one place")
    return Alignment(rotation, scale, offset[:2] * _TO_IMAGE, aligned)


def features(alignment: Alignment, canonical: FloatArray) -> NDArray[np.float32]:
    """(FEATURES,) displacements of the points from the canonical face, centimeters, and the direction to the viewer in
    canonical axes."""
    return describe_face(alignment.points, canonical, CENTIMETERS, alignment.rotation)


FEATURES = 3 * LANDMARK_COUNT + 3
