"""Faces as numbers and strings for JSON. Angles are in degrees, positions in meters in the optical frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from face_expr_ros.core.geometry import euler_angles, face_frame_quaternion
from face_expr_ros.core.types import Face, FloatArray, Pose, Readouts


def face_record(face: Face) -> dict[str, Any]:
    """One face with the keys of the command line's JSON."""
    return {
        "id": face.id,
        "confidence": round(float(face.confidence), 4),
        "roi": _rounded([face.roi.x, face.roi.y, face.roi.width, face.roi.height], 2),
        "pose": pose_record(face.fit.pose),
        "shape": _rounded(face.fit.shape, 5),
        "expression": _rounded(face.fit.expression, 5),
        "blendshapes": dict(zip(face.blendshapes.names, _rounded(face.blendshapes.values, 5), strict=True)),
        **readouts_record(face.readouts),
        "events": [{"type": event.type, "duration": round(event.duration, 4)} for event in face.events],
        "landmarks": [] if face.landmarks is None else _rounded(face.landmarks.points, 3),
        "landmarks68": _rounded(face.fit.landmarks68, 3),
    }


def readouts_record(readouts: Readouts) -> dict[str, Any]:
    """The read-outs, with action units by name."""
    return {
        "action_units": dict(zip(readouts.action_unit_names, _rounded(readouts.action_units, 5), strict=True)),
        "valence": round(readouts.valence, 5),
        "arousal": round(readouts.arousal, 5),
        "label": readouts.label,
        "mouth_open": readouts.mouth_open,
        "looking_at_camera": round(readouts.looking_at_camera, 4),
        "speaking": round(readouts.speaking, 4),
    }


def pose_record(pose: Pose) -> dict[str, Any]:
    """A pose: position and orientation of REP-155's face frame, and the angles with AFLW2000-3D's signs."""
    yaw, pitch, roll = np.degrees(euler_angles(pose.rotation)).tolist()
    return {
        "position": _rounded(pose.position, 6),
        "quaternion_xyzw": _rounded(face_frame_quaternion(pose.rotation), 7),
        "yaw_deg": round(yaw, 4),
        "pitch_deg": round(pitch, 4),
        "roll_deg": round(roll, 4),
        "metric": pose.metric,
        "depth_used": pose.depth_used,
    }


def _rounded(values: FloatArray | list[float], digits: int) -> list[Any]:
    rounded: list[Any] = np.round(np.asarray(values, dtype=np.float64), digits).tolist()
    return rounded
