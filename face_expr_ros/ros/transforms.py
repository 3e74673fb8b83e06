"""tf frames of faces, where tf2 is installed (it is not on PyPI)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from face_expr_ros.core.types import Face
from face_expr_ros.ros.message_fields import message_object
from face_expr_ros.serialization.message_dicts import transform_values


def transform_message_type() -> type[Any] | None:
    """tf2_msgs/TFMessage, which /tf carries and tf2_ros's broadcaster publishes as it is; None without tf2."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


def face_transforms(faces: Iterable[Face], header: Header) -> list[TransformStamped]:
    """``face_<id>`` of REP-155 for each face, parent: the image's frame; none where the image names no frame."""
    if not header.frame_id:
        return []
    return [message_object(TransformStamped, transform_values(face, header)) for face in faces]
