"""Faces as messages. Every message carries the header of the image."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Quaternion
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import ArrayLike, NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.geometry import euler_angles, face_frame_quaternion
from face_expr_ros.msg import FaceArray, FaceExpression, FaceModel, FacePose, FaceShape
from face_expr_ros.ros.message_fields import message_object
from face_expr_ros.values import Camera, Face, Pose, Roi

Values = dict[str, Any]  # the fields of a message by name


def floats(values: ArrayLike) -> array[float]:
    """Any numbers as the array('f') that a float32[] field takes without a look at each element."""
    result = array("f")
    result.frombytes(np.ascontiguousarray(values, dtype=np.float32).tobytes())
    return result


def unsigned_integers(values: ArrayLike) -> array[int]:
    """Any whole numbers as the array('I') of a uint32[] field."""
    result = array("I")
    result.frombytes(np.ascontiguousarray(values, dtype=np.uint32).tobytes())
    return result


def face_array(faces: Iterable[Face], camera: Camera, model_name: str, header: Header) -> FaceArray:
    """All faces of one image; none is an empty list."""
    return message_object(FaceArray, face_array_values(faces, camera, model_name, header))


def face_array_values(faces: Iterable[Face], camera: Camera, model_name: str, header: Header) -> Values:
    """The same as the values of its fields, for a CdrWriter, which takes half the time of message objects."""
    return {"header": header, "faces": [face_values(face, camera, model_name, header) for face in faces]}


def face_values(face: Face, camera: Camera, model_name: str, header: Header) -> Values:
    """The fields of a Face: one face with its pose, shape and expression."""
    return {
        "face_id": face.id,
        "confidence": face.confidence,
        "roi": region_of_interest(face.roi, camera.width, camera.height),
        "pose": _pose_values(face, header),
        "shape": _shape_values(face, model_name, header),
        "expression": _expression_values(face, model_name, header),
        "landmarks": () if face.landmarks is None else face.landmarks.points,
    }


def face_pose(face: Face, header: Header) -> FacePose:
    """The head in the camera's optical frame, its angles and its weak perspective."""
    return message_object(FacePose, _pose_values(face, header))


def face_shape(face: Face, model_name: str, header: Header) -> FaceShape:
    """The identity coefficients."""
    return message_object(FaceShape, _shape_values(face, model_name, header))


def face_expression(face: Face, model_name: str, header: Header, names: bool = True) -> FaceExpression:
    """The expression in the model's own basis and as blendshapes, and what is read from those.

    Args:
        names: False leaves out the names of the blendshapes, whose order FaceModel has, and all of the action units,
            whose order nobody would know then: two thirds of the message.
    """
    values = _expression_values(face, model_name, header)
    if not names:
        values |= {"blendshape_names": (), "action_unit_names": (), "action_units": ()}
    return message_object(FaceExpression, values)


def _pose_values(face: Face, header: Header) -> Values:
    pose = face.fit.pose
    yaw, pitch, roll = euler_angles(pose.rotation)
    return {
        "header": header,
        "face_id": face.id,
        "pose": pose_message(pose),
        "metric": pose.metric,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "weak_perspective": face.fit.weak_perspective,
    }


def _shape_values(face: Face, model_name: str, header: Header) -> Values:
    return {"header": header, "face_id": face.id, "model": model_name, "coefficients": face.fit.shape}


def _expression_values(face: Face, model_name: str, header: Header) -> Values:
    readouts = face.readouts
    return {
        "header": header,
        "face_id": face.id,
        "model": model_name,
        "coefficients": face.fit.expression,
        "blendshape_names": face.blendshapes.names,
        "blendshapes": face.blendshapes.values,
        "action_unit_names": readouts.action_unit_names,
        "action_units": readouts.action_units,
        "valence": readouts.valence,
        "arousal": readouts.arousal,
        "label": readouts.label,
        "mouth_open": readouts.mouth_open,
    }


def pose_message(pose: Pose) -> PoseMessage:
    """The face frame of REP-155 in the camera frame: x out of the face, y to the subject's left, z to the scalp."""
    x, y, z = map(float, pose.position)
    qx, qy, qz, qw = map(float, face_frame_quaternion(pose.rotation))
    return PoseMessage(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def region_of_interest(roi: Roi, width: int, height: int) -> RegionOfInterest:
    """The whole pixels that the box touches, clipped to the image; all zero where they do not overlap."""
    left, top = max(0, round(roi.x)), max(0, round(roi.y))
    right, bottom = min(width, round(roi.x + roi.width) + 1), min(height, round(roi.y + roi.height) + 1)
    if right <= left or bottom <= top:
        return RegionOfInterest()
    return RegionOfInterest(x_offset=left, y_offset=top, width=right - left, height=bottom - top)


def face_model(model: MorphableModel, blendshape_names: Iterable[str], header: Header) -> FaceModel:
    """What a subscriber needs to rebuild vertices from coefficients."""
    return FaceModel(
        header=header,
        model=model.name,
        sha256=model.sha256,
        vertex_count=len(model.mean),
        identity_count=len(model.identity),
        expression_count=len(model.expression),
        blendshape_names=list(blendshape_names),
        triangles=unsigned_integers(model.triangles),
        mean=floats(model.mean),
        identity=floats(model.identity),
        expression=floats(model.expression),
    )


def image_bytes(image: NDArray[np.uint8], header: Header) -> bytes:
    """A (height, width, 3) uint8 BGR array as a bgr8 Image, ready for ``publish``, which takes bytes in half the time.

    In CDR the pixels are an Image's last field: a message without them ends with their number, which is 0.
    """
    height, width = image.shape[:2]
    empty = Image(header=header, height=height, width=width, encoding="bgr8", step=3 * width)
    pixels = np.ascontiguousarray(image)
    return b"".join([serialize_message(empty)[: -len(_NO_PIXELS)], pixels.nbytes.to_bytes(4, "little"), pixels.data])


_NO_PIXELS = bytes(4)
