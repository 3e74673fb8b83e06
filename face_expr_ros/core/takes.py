"""A take: what one face did over time, for animation software."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.head_axes import head_rotation
from face_expr_ros.core.types import Blendshapes, FloatArray


@dataclass(frozen=True)
class TakeFrame:
    """One face in one image.

    Attributes:
        stamp_ns: of the image.
        blendshapes: ARKit's, in any order.
        rotation: (3, 3) from model axes to the camera frame.
        position: (3,) the sellion in the camera frame, meters.
        shape: (identity_count,) standard deviations; empty if unknown.
    """

    stamp_ns: int
    blendshapes: Blendshapes
    rotation: FloatArray
    position: FloatArray
    shape: FloatArray


Take = list[TakeFrame]  # of one face, with increasing stamps


def head_motion(take: Take) -> tuple[FloatArray, FloatArray]:
    """Positions (n, 3) relative to the first one in meters, and rotations (n, 3, 3), in model axes.

    See `head_rotation`.
    """
    positions = np.array([FACING_CAMERA @ frame.position for frame in take])
    return positions - positions[0], np.array([head_rotation(frame.rotation) for frame in take])
