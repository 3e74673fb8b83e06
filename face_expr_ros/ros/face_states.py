"""Conversion of FaceArray messages to face states."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.rotations import rotation_from_quaternion
from face_expr_ros.core.types import Blendshapes, FaceState, Pose, Readouts, Roi
from face_expr_ros.msg import Face, FaceArray, FaceExpression, FacePose
from face_expr_ros.perception.landmarks import LANDMARK_COUNT
from face_expr_ros.ros.stamps import stamp_ns

_LARGEST = 1e9  # of values without a range: sums and products of such values are finite in float32
# The ranges of the fields of Face.msg that are not of the pose, which has its own check.
_RANGES = {
    "confidence": (0.0, 1.0),
    "looking_at_camera": (0.0, 1.0),
    "speaking": (0.0, 1.0),
    "expression.blendshapes": (0.0, 1.0),
    "expression.action_units": (0.0, 1.0),
    "expression.valence": (-1.0, 1.0),
    "expression.arousal": (-1.0, 1.0),
    "expression.coefficients": (-_LARGEST, _LARGEST),
    "shape.coefficients": (-_LARGEST, _LARGEST),
    "landmarks": (-_LARGEST, _LARGEST),
}


def face_states(message: FaceArray) -> tuple[FaceState, ...]:
    """The faces of a message, in the same order.

    Raises:
        ValueError: a face has names without values or values without names, a number of landmarks other than 0 or 478,
            a pose that is not finite, a zero quaternion, or a value that is not finite or out of its range. No face of
            such a message is used.
    """
    time_ns = stamp_ns(message.header.stamp)
    return tuple(_face_state(face, time_ns) for face in message.faces)


def _face_state(face: Face, time_ns: int) -> FaceState:
    for path, (low, high) in _RANGES.items():
        _check_range(face, path, low, high)
    roi = face.roi
    return FaceState(
        id=face.face_id,
        stamp_ns=time_ns,
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


def _check_range(face: Face, path: str, low: float, high: float) -> None:
    """Raise ValueError if a number or an array of a face is out of its range or not finite."""
    with np.errstate(invalid="ignore"):  # some NaN of float32, which are refused below
        numbers = np.atleast_1d(np.asarray(attrgetter(path)(face), np.float64))
    if numbers.size and not (numbers.min() >= low and numbers.max() <= high):  # NaN compares as false
        expected = "finite values" if high == _LARGEST else f"values from {low:g} to {high:g}"
        wrong = numbers[~((numbers >= low) & (numbers <= high))][0]
        raise ValueError(f"expected {expected} of {path} for face {face.face_id!r}, got {wrong:g}")


def _pose(message: FacePose) -> Pose:
    q, p = message.pose.orientation, message.pose.position
    quaternion, position = np.array([q.x, q.y, q.z, q.w]), np.array([p.x, p.y, p.z])
    in_range = np.abs(position) < _LARGEST
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
