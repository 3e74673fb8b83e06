"""Conversion of faces to the messages and frames of REP-155 (ROS4HRI)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from std_msgs.msg import Header

from face_expr_ros.core.rotations import quaternion_from_rotation
from face_expr_ros.core.types import FaceState
from face_expr_ros.perception.gaze import gaze, gaze_axes
from face_expr_ros.retargeting import hri_values
from face_expr_ros.retargeting.hri_values import EXPRESSIONS, ImageSize
from face_expr_ros.ros.encode import pose_message


@dataclass(frozen=True)
class HriTypes:
    """The message classes of hri_msgs for faces and persons."""

    ids: type[Any]
    roi: type[Any]
    landmarks: type[Any]
    point: type[Any]
    facs: type[Any]
    expression: type[Any]
    engagement: type[Any]
    gaze: type[Any]


def hri_types() -> HriTypes | None:
    """The classes; None if hri_msgs is not installed."""
    try:
        from hri_msgs import msg
    except ImportError:
        return None
    return HriTypes(
        msg.IdsList,
        msg.NormalizedRegionOfInterest2D,
        msg.FacialLandmarks,
        msg.NormalizedPointOfInterest2D,
        msg.FacialActionUnits,
        msg.Expression,
        msg.EngagementLevel,
        msg.Gaze,
    )


def roi_message(types: HriTypes, face: FaceState, size: ImageSize, header: Header) -> Any:
    """hri_msgs/NormalizedRegionOfInterest2D."""
    xmin, ymin, xmax, ymax = hri_values.normalized_box(face.roi, size)
    return types.roi(header=header, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, c=float(face.confidence))


def landmarks_message(types: HriTypes, face: FaceState, size: ImageSize, header: Header) -> Any:
    """hri_msgs/FacialLandmarks.

    Raises:
        ValueError: the face has no landmarks, or a landmark is not finite.
    """
    points = [types.point(x=x, y=y, c=c) for x, y, c in hri_values.normalized_points(face, size).tolist()]
    return types.landmarks(header=header, landmarks=points, height=size.height, width=size.width)


def facs_message(types: HriTypes, face: FaceState, header: Header) -> Any:
    """hri_msgs/FacialActionUnits."""
    intensity, confidence = hri_values.action_units(face)
    return types.facs(header=header, intensity=intensity.astype(np.float32), confidence=confidence.astype(np.float32))


def expression_message(types: HriTypes, face: FaceState, header: Header) -> Any:
    """hri_msgs/Expression.

    Raises:
        ValueError: hri_msgs has no constant for the label.
    """
    readouts = face.readouts
    if readouts.label not in EXPRESSIONS:
        raise ValueError(f"expected a label of {', '.join(EXPRESSIONS)}, got {readouts.label!r}")
    return types.expression(
        header=header,
        expression=EXPRESSIONS[readouts.label],
        valence=float(readouts.valence),
        arousal=float(readouts.arousal),
        confidence=float(face.confidence),
    )


def face_transform(name: str, face: FaceState, header: Header) -> TransformStamped:
    """face_<id>: origin at the sellion, x out of the face, y to the subject's left, z to the scalp."""
    pose = pose_message(face.pose)
    return _transform(f"face_{name}", face, pose.orientation, header)


def gaze_transform(name: str, face: FaceState, header: Header) -> TransformStamped:
    """gaze_<id>: origin of the face frame, z along the gaze, x to the subject's right, y down.

    Raises:
        ValueError: the face has neither ARKit's blendshapes nor landmarks, or they are not finite.
    """
    axes = gaze_axes(gaze(face), face.pose)
    if not np.isfinite(axes).all():
        raise ValueError("expected finite blendshapes of the eyes or landmarks, got NaN or infinity")
    x, y, z, w = quaternion_from_rotation(axes).tolist()
    return _transform(f"gaze_{name}", face, Quaternion(x=x, y=y, z=z, w=w), header)


def _transform(child: str, face: FaceState, rotation: Quaternion, header: Header) -> TransformStamped:
    x, y, z = face.pose.position.tolist()
    result = TransformStamped(header=header, child_frame_id=child)
    result.transform.translation, result.transform.rotation = Vector3(x=x, y=y, z=z), rotation
    return result
