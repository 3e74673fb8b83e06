"""Conversion of FaceArray messages to face states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rclpy.time import Time

from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.rotations import rotation_from_quaternion
from face_expr_ros.core.types import Blendshapes, FaceState, Pose, Readouts, Roi
from face_expr_ros.msg import Face, FaceArray, FaceExpression, FacePose
from face_expr_ros.perception.landmarks import LANDMARK_COUNT


def face_states(message: FaceArray) -> tuple[FaceState, ...]:
    """The faces of a message, in the same order.

    Raises:
        ValueError: a face has names without values or values without names, a number of landmarks other than 0 or 478,
            a pose that is not finite, or a zero quaternion.
    """
    stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
    return tuple(_face_state(face, stamp_ns) for face in message.faces)


def _face_state(face: Face, stamp_ns: int) -> FaceState:
    roi = face.roi
    return FaceState(
        id=face.face_id,
        stamp_ns=stamp_ns,
        confidence=face.confidence,
        roi=Roi(roi.x_offset, roi.y_offset, roi.width, roi.height),
        pose=_pose(face.pose),
        model=face.shape.model,
        shape=np.array(face.shape.coefficients),
        expression=np.array(face.expression.coefficients),
        blendshapes=_blendshapes(face.expression),
        readouts=_readouts(face),
        landmarks=_landmarks(face),
    )


def _pose(message: FacePose) -> Pose:
    q, p = message.pose.orientation, message.pose.position
    quaternion, position = np.array([q.x, q.y, q.z, q.w]), np.array([p.x, p.y, p.z])
    in_range = np.abs(position) < np.finfo(np.float32).max  # consumers convert it to float32
    if not (in_range.all() and np.isfinite(quaternion).all() and quaternion.any()):
        raise ValueError(
            f"expected a finite pose and a nonzero quaternion for face {message.face_id!r}, "
            f"got position {position.tolist()} and quaternion {quaternion.tolist()}"
        )
    return Pose(rotation_from_quaternion(quaternion) @ FACE_FRAME.T, position, message.metric, message.depth_used)


def _landmarks(face: Face) -> NDArray[np.float32]:
    numbers = np.array(face.landmarks, np.float32)
    if numbers.size not in (0, 3 * LANDMARK_COUNT):
        raise ValueError(
            f"expected 0 or {LANDMARK_COUNT} landmarks with 3 values each for face {face.face_id!r}, "
            f"got {numbers.size} values"
        )
    return numbers.reshape(-1, 3)


def _blendshapes(message: FaceExpression) -> Blendshapes:
    names, values = tuple(message.blendshape_names), np.array(message.blendshapes)
    if len(names) != len(values):
        raise ValueError(f"expected a value for each of {len(names)} blendshape names, got {len(values)} values")
    return Blendshapes(names, values)


def _readouts(face: Face) -> Readouts:
    message = face.expression
    names, values = tuple(message.action_unit_names), np.array(message.action_units)
    if len(names) != len(values):
        raise ValueError(f"expected a value for each of {len(names)} action unit names, got {len(values)} values")
    return Readouts(
        names,
        values,
        message.valence,
        message.arousal,
        message.label,
        message.mouth_open,
        looking_at_camera=face.looking_at_camera,
        speaking=face.speaking,
    )
