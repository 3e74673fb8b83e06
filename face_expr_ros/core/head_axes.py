"""The head rotation of a face that looks into the camera and turns away from it, in model axes.

Receivers of head motion expect no rotation where a face looks along the optical axis into the camera; docs/avatars.md
derives the signs of each of them from these angles.
"""

from __future__ import annotations

import math

from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.types import FloatArray


def head_rotation(rotation: FloatArray) -> FloatArray:
    """H (3, 3): rotation from a face that looks along the optical axis into the camera to this one, in model axes.

    Args:
        rotation: (3, 3) from model axes to the camera frame.
    """
    head: FloatArray = FACING_CAMERA @ rotation
    return head


def right_handed_degrees(rotation: FloatArray) -> tuple[float, float, float]:
    """Angles x, y, z of H = Ry Rx Rz: positive lowers the nose, turns to the subject's left, tilts to their right."""
    (_, _, r02), (r10, r11, r12), (_, _, r22) = rotation.tolist()
    x = math.asin(min(1.0, max(-1.0, -r12)))
    return math.degrees(x), math.degrees(math.atan2(r02, r22)), math.degrees(math.atan2(r10, r11))
