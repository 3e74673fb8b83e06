"""Unreal's Live Link Face, packet version 6, as Epic's app sends it to port 11111."""

from __future__ import annotations

import struct
import uuid

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_axes import arkit_values, gaze_angles, head_rotation, right_handed_degrees
from face_expr_ros.retargeting.avatar_config import LiveLinkConfig

VERSION = 6
COUNT = 61  # ARKit's 52, then yaw, pitch and roll of head, left eye and right eye


def encode(state: FaceState, *, seconds: float, rate: int, config: LiveLinkConfig) -> bytes:
    """One packet.

    Args:
        state: the face.
        seconds: the sender's time, which becomes the frame number.
        rate: frames to a second, a whole number of at least 1.
        config: subject and the angle that is 1.

    Raises:
        ValueError: the face lacks ARKit's blendshapes.
    """
    name = config.subject.encode()
    frame, rest = divmod(seconds * rate, 1.0)
    return b"".join(
        [
            struct.pack("<I", VERSION),
            f"${device_id(config.subject)}".encode(),
            struct.pack("!i", len(name)),
            name,
            struct.pack("!IfII", int(frame), rest, rate, 1),
            struct.pack(f"!B{COUNT}f", COUNT, *_values(state, config.full_angle)),
        ]
    )


def device_id(subject: str) -> str:
    """36 characters that stay the same for a subject: Unreal tells its sources apart by them."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{subject}.face_expr_ros")).upper()


def _values(state: FaceState, full_angle: float) -> list[float]:
    """Yaw > 0 turns to the subject's left, pitch > 0 up, roll > 0 tilts the head to their right."""
    shapes = arkit_values(state.blendshapes)
    bow, turn, tilt = right_handed_degrees(head_rotation(state.pose))
    left, right = np.degrees(gaze_angles(shapes))
    angles = np.array([turn, -bow, tilt, left[0], left[1], 0.0, right[0], right[1], 0.0]) / full_angle
    return [*shapes.tolist(), *np.clip(angles, -1.0, 1.0).tolist()]
