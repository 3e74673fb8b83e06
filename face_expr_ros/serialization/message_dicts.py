"""Faces as message fields: plain values by name, for ROS's message classes and for bags.

A header is a ROS object, or a mapping with the same fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import euler_angles, face_frame_quaternion
from face_expr_ros.core.types import Camera, Face, FaceEvent, Pose, Roi

Values = dict[str, Any]  # the fields of a message by name


def header_values(stamp_ns: int, frame_id: str) -> Values:
    """The fields of a Header; the stamp in nanoseconds since 1970."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": frame_id}


def face_array_values(faces: Iterable[Face], camera: Camera, model_name: str, header: Any) -> Values:
    """All faces of one image; may be empty."""
    return {"header": header, "faces": [face_values(face, camera, model_name, header) for face in faces]}


def face_values(face: Face, camera: Camera, model_name: str, header: Any) -> Values:
    """The fields of a Face: one face with its pose, shape and expression."""
    return {
        "face_id": face.id,
        "confidence": face.confidence,
        "roi": roi_values(face.roi, camera.width, camera.height),
        "pose": face_pose_values(face, header),
        "shape": face_shape_values(face, model_name, header),
        "expression": face_expression_values(face, model_name, header),
        "looking_at_camera": face.readouts.looking_at_camera,
        "speaking": face.readouts.speaking,
        "landmarks": () if face.landmarks is None else face.landmarks.points,
    }


def face_pose_values(face: Face, header: Any) -> Values:
    """The head in the camera's optical frame, its angles in radians and its weak perspective."""
    pose = face.fit.pose
    yaw, pitch, roll = euler_angles(pose.rotation)
    return {
        "header": header,
        "face_id": face.id,
        "pose": pose_values(pose),
        "metric": pose.metric,
        "depth_used": pose.depth_used,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "weak_perspective": face.fit.weak_perspective,
    }


def face_shape_values(face: Face, model_name: str, header: Any) -> Values:
    """The identity coefficients."""
    return {"header": header, "face_id": face.id, "model": model_name, "coefficients": face.fit.shape}


def face_expression_values(face: Face, model_name: str, header: Any, names: bool = True) -> Values:
    """The expression in the model's own basis and as blendshapes, and the read-outs.

    Args:
        face: the face.
        model_name: of the face model.
        header: of the image.
        names: False omits the blendshape names, whose order is in FaceModel, and the action units, whose order would be
            unknown: two thirds of the message.
    """
    readouts = face.readouts
    return {
        "header": header,
        "face_id": face.id,
        "model": model_name,
        "coefficients": face.fit.expression,
        "blendshape_names": face.blendshapes.names if names else (),
        "blendshapes": face.blendshapes.values,
        "action_unit_names": readouts.action_unit_names if names else (),
        "action_units": readouts.action_units if names else (),
        "valence": readouts.valence,
        "arousal": readouts.arousal,
        "label": readouts.label,
        "mouth_open": readouts.mouth_open,
    }


def face_event_values(face_id: str, event: FaceEvent, header: Any) -> Values:
    """Something that the face did; the header is that of the image in which it was recognized."""
    return {"header": header, "face_id": face_id, "type": event.type, "duration": event.duration}


def pose_values(pose: Pose) -> Values:
    """The face frame of REP-155 in the camera frame: x out of the face, y to the subject's left, z to the scalp."""
    x, y, z = map(float, pose.position)
    qx, qy, qz, qw = map(float, face_frame_quaternion(pose.rotation))
    return {"position": {"x": x, "y": y, "z": z}, "orientation": {"x": qx, "y": qy, "z": qz, "w": qw}}


def roi_values(roi: Roi, width: int, height: int) -> Values:
    """The pixels that the box overlaps, clipped to the image; all zero if there are none."""
    left, top = max(0, round(roi.x)), max(0, round(roi.y))
    right, bottom = min(width, round(roi.x + roi.width) + 1), min(height, round(roi.y + roi.height) + 1)
    if right <= left or bottom <= top:
        left = top = right = bottom = 0
    return {
        "x_offset": left,
        "y_offset": top,
        "height": bottom - top,
        "width": right - left,
        "do_rectify": False,
    }


def transform_values(face: Face, header: Any) -> Values:
    """The fields of a TransformStamped: ``face_<id>`` of REP-155, parent: the image's frame."""
    pose = pose_values(face.fit.pose)
    transform = {"translation": pose["position"], "rotation": pose["orientation"]}
    return {"header": header, "child_frame_id": f"face_{face.id}", "transform": transform}


def face_model_values(model: MorphableModel, blendshape_names: Iterable[str], header: Any) -> Values:
    """The data with which a subscriber computes vertices from coefficients."""
    return {
        "header": header,
        "model": model.name,
        "sha256": model.sha256,
        "vertex_count": len(model.mean),
        "identity_count": len(model.identity),
        "expression_count": len(model.expression),
        "blendshape_names": list(blendshape_names),
        "triangles": model.triangles,
        "mean": model.mean,
        "identity": model.identity,
        "expression": model.expression,
    }
