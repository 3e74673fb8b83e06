"""tf frames of faces; they require tf2_msgs, which is not on PyPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from face_expr_ros.core.types import Face
from face_expr_ros.ros.message_fields import message_object
from face_expr_ros.serialization.message_dicts import transform_values


def transform_message_type() -> type[Any] | None:
    """tf2_msgs/TFMessage, the type of /tf, which is published without tf2_ros; None if tf2_msgs is not installed."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


def face_transforms(faces: Iterable[Face], header: Header) -> list[TransformStamped]:
    """``face_<id>`` of REP-155 for each face, with the image's frame as parent; empty if the image has no frame_id."""
    if not header.frame_id:
        return []
    return [message_object(TransformStamped, transform_values(face, header)) for face in faces]
