"""tf frames of faces, where tf2 is installed (it is not on PyPI)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geometry_msgs.msg import TransformStamped, Vector3
from std_msgs.msg import Header

from face_expr_ros.ros.encode import pose_message
from face_expr_ros.values import Face


def transform_message_type() -> type[Any] | None:
    """tf2_msgs/TFMessage, which /tf carries and tf2_ros's broadcaster publishes as it is; None without tf2."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


def face_transforms(faces: Iterable[Face], header: Header) -> list[TransformStamped]:
    """``face_<id>`` of REP-155 for each face, parent: the image's frame; none where the image names no frame."""
    return [_transform(face, header) for face in faces] if header.frame_id else []


def _transform(face: Face, header: Header) -> TransformStamped:
    pose = pose_message(face.fit.pose)
    result = TransformStamped(header=header, child_frame_id=f"face_{face.id}")
    result.transform.translation = Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z)
    result.transform.rotation = pose.orientation
    return result
