"""Unreal's Live Link Face protocol, packet version 6, as sent by Epic's app to port 11111."""

from __future__ import annotations

import struct
import uuid

import numpy as np

from face_expr_ros.core.arkit import arkit_values
from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_config import LiveLinkConfig
from face_expr_ros.serialization.live_link_csv import live_link_angles

VERSION = 6
COUNT = 61  # 52 ARKit blendshapes, then yaw, pitch and roll of head, left eye and right eye


def encode(state: FaceState, *, seconds: float, rate: int, config: LiveLinkConfig) -> bytes:
    """Encode one packet.

    Args:
        state: the face.
        seconds: time since the sender started; gives the frame number.
        rate: frames per second, at least 1.
        config: subject and full angle.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    name = config.subject.encode()
    frame, subframe = divmod(seconds * rate, 1.0)
    return b"".join(
        [
            struct.pack("<I", VERSION),
            f"${device_id(config.subject)}".encode(),
            struct.pack("!i", len(name)),
            name,
            struct.pack("!IfII", int(frame), subframe, rate, 1),
            struct.pack(f"!B{COUNT}f", COUNT, *_values(state, config.full_angle)),
        ]
    )


def device_id(subject: str) -> str:
    """A constant id of 36 characters for each subject, by which Unreal distinguishes sources."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{subject}.face_expr_ros")).upper()


def _values(state: FaceState, full_angle: float) -> list[float]:
    """The blendshapes, and the angles of `live_link_angles` with ``full_angle`` as 1."""
    shapes = arkit_values(state.blendshapes)
    angles = np.degrees(live_link_angles(shapes, state.pose.rotation)) / full_angle
    return [*shapes.tolist(), *(np.clip(angles, -1.0, 1.0) + 0.0).tolist()]
