"""Conversion of faces to messages. Every message carries the header of the image.

`serialization.message_dicts` assigns the fields; message objects are made of its dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Face, Pose
from face_expr_ros.msg import FaceArray, FaceExpression, FaceModel, FacePose, FaceShape
from face_expr_ros.ros.message_fields import message_object
from face_expr_ros.serialization.message_dicts import (
    face_array_values,
    face_expression_values,
    face_model_values,
    face_pose_values,
    face_shape_values,
    pose_values,
)

_EMPTY_SEQUENCE = bytes(4)  # its length, a uint32


def face_array(faces: Iterable[Face], camera: Camera, model_name: str, header: Header) -> FaceArray:
    """All faces of one image; may be empty."""
    return message_object(FaceArray, face_array_values(faces, camera, model_name, header))


def face_pose(face: Face, header: Header) -> FacePose:
    """Head pose in the camera's optical frame, Euler angles and weak-perspective projection."""
    return message_object(FacePose, face_pose_values(face, header))


def face_shape(face: Face, model_name: str, header: Header) -> FaceShape:
    """The identity coefficients."""
    return message_object(FaceShape, face_shape_values(face, model_name, header))


def face_expression(face: Face, model_name: str, header: Header, names: bool = True) -> FaceExpression:
    """The expression; ``names`` as in `message_dicts.face_expression_values`."""
    return message_object(FaceExpression, face_expression_values(face, model_name, header, names))


def pose_message(pose: Pose) -> PoseMessage:
    """The face frame of REP-155 in the camera frame: x out of the face, y to the subject's left, z to the scalp."""
    return message_object(PoseMessage, pose_values(pose))


def face_model(model: MorphableModel, blendshape_names: Iterable[str], header: Header) -> FaceModel:
    """The model's bases and triangles, from which a subscriber computes vertices."""
    return message_object(FaceModel, face_model_values(model, blendshape_names, header))


def image_bytes(image: NDArray[np.uint8], header: Header) -> bytes:
    """A (height, width, 3) uint8 BGR array as the CDR of a bgr8 Image, which is published twice as fast as an object.

    The pixels are the last field of an Image: the CDR of a message without pixels ends with their number, zero.
    """
    height, width = image.shape[:2]
    empty = Image(header=header, height=height, width=width, encoding="bgr8", step=3 * width)
    pixels = np.ascontiguousarray(image)
    fields = serialize_message(empty)[: -len(_EMPTY_SEQUENCE)]
    return b"".join([fields, pixels.nbytes.to_bytes(4, "little"), pixels.data])
