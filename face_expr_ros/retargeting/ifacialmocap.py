"""iFacialMocap protocol, text over UDP: ifacialmocap.com/for-developer."""

from __future__ import annotations

import re

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values, gaze_angles
from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.head_axes import head_rotation, right_handed_degrees
from face_expr_ros.core.types import FaceState

HELLO = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
SECOND_VERSION = b"|sendDataVersion=v2"  # after HELLO: values are separated by &, which cannot be read as a minus sign

# These are directions and keep their names; other names that end in Left or Right denote a side.
_DIRECTIONS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
NAMES = tuple(
    name if name in _DIRECTIONS else re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", name)
    for name in ARKIT_NAMES
)


def encode(state: FaceState, *, separator: str = "-") -> bytes:
    """Encode one packet: blendshapes in integer percent, angles in degrees, the head position in meters.

    Head and eyes are Euler angles x, y, z in right-handed axes (x to the subject's left, y up, z out of the face).
    The position is in camera axes with y up and z towards the camera.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    shapes = arkit_values(state.blendshapes)
    parts = [f"{name}{separator}{value:.0f}" for name, value in zip(NAMES, 100 * shapes, strict=True)]
    head = [*right_handed_degrees(head_rotation(state.pose.rotation)), *(FACING_CAMERA @ state.pose.position)]
    left_eye, right_eye = ([-up, left, 0.0] for left, up in np.degrees(gaze_angles(shapes)))
    text = f"{'|'.join(parts)}|=head#{_numbers(head)}|rightEye#{_numbers(right_eye)}|leftEye#{_numbers(left_eye)}|"
    return text.encode("ascii")


def _numbers(values: list[float]) -> str:
    return ",".join(f"{round(value, 6) + 0.0:.6f}" for value in values)  # + 0.0 turns -0.0 into 0.0
