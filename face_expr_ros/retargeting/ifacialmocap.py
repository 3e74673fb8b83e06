"""iFacialMocap's text over UDP: ifacialmocap.com/for-developer."""

from __future__ import annotations

import re

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_axes import arkit_values, gaze_angles, head_rotation, right_handed_degrees

HELLO = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
SECOND_VERSION = b"|sendDataVersion=v2"  # after the hello: values are separated by &, so that none looks negative

# jawLeft and its like are directions and keep their name, mouthSmileLeft is the left one of two.
_DIRECTIONS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
NAMES = tuple(
    name if name in _DIRECTIONS else re.sub("(Left|Right)$", lambda side: f"_{side[0][0]}", name)
    for name in ARKIT_NAMES
)


def encode(state: FaceState, *, separator: str = "-") -> bytes:
    """One packet: blendshapes in whole percent, angles in degrees, the head's place in meters.

    Head and eyes are Euler angles x, y, z of right-handed axes (x to the subject's left, y up, z out of the face),
    the place is in the camera's axes with y up and z towards the face's viewer.

    Raises:
        ValueError: the face lacks ARKit's blendshapes.
    """
    shapes = arkit_values(state.blendshapes)
    parts = [f"{name}{separator}{value:.0f}" for name, value in zip(NAMES, 100 * shapes, strict=True)]
    head = [*right_handed_degrees(head_rotation(state.pose)), *(FACING_CAMERA @ state.pose.position)]
    left, right = ([-above, aside, 0.0] for aside, above in np.degrees(gaze_angles(shapes)))
    text = f"{'|'.join(parts)}|=head#{_numbers(head)}|rightEye#{_numbers(right)}|leftEye#{_numbers(left)}|"
    return text.encode("ascii")


def _numbers(values: list[float]) -> str:
    return ",".join(f"{round(value, 6) + 0.0:.6f}" for value in values)  # + 0.0: no minus before a zero
