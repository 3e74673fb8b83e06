"""The rules that every published message obeys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from face_expr_ros.msg import Face, FaceArray, FaceExpression, FacePose
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, TransformStamped, Vector3
from sensor_msgs.msg import JointState, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker

from face_expr_ros.benchmarks.soak.message_rules import violations

UPRIGHT = Pose(orientation=Quaternion(w=1.0))
HEADER = Header(stamp=Time(sec=7), frame_id="lens")


def faces(**changes: Any) -> FaceArray:
    """A valid message with some fields of its face changed."""
    pose = FacePose(header=changes.pop("inner", HEADER), pose=Pose(orientation=changes.pop("turn", Quaternion(w=1.0))))
    expression = FaceExpression(header=HEADER, blendshapes=changes.pop("blendshapes", [0.0, 1.0]))
    face = Face(pose=pose, expression=expression, **changes)
    face.shape.header = HEADER
    return FaceArray(header=HEADER, faces=[face])


def cloud(value: float) -> PointCloud2:
    fields = [PointField(name=name, offset=4 * i, datatype=7, count=1) for i, name in enumerate("xyz")]
    points = np.full((2, 3), value, "<f4").tobytes()
    return PointCloud2(header=HEADER, height=1, width=2, fields=fields, point_step=12, row_step=24, data=points)


@pytest.mark.parametrize("message", [faces(), faces(landmarks=[-3.0, 1e4]), cloud(1.0), JointState(position=[-2.0])])
def test_valid_messages_have_no_violations(message: Any) -> None:
    assert not list(violations(message))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (faces(landmarks=[0.0, math.nan]), "faces[0].landmarks: expected finite numbers, got nan"),
        (faces(confidence=math.inf), "faces[0].confidence: expected finite numbers, got inf"),
        (faces(speaking=1.5), "faces[0].speaking: expected values in 0..1, got 1.5 to 1.5"),
        (faces(blendshapes=[-0.01, 0.5]), "blendshapes: expected values in 0..1, got -0.01 to 0.5"),
        (faces(turn=Quaternion(w=0.9)), "pose.pose.orientation: expected a quaternion of norm 1, got 0.9"),
        (faces(turn=Quaternion(w=math.nan)), "expected a quaternion of norm 1, got nan"),
        (faces(inner=Header()), "faces[0].pose.header: expected 7.000000000 'lens', got 0.000000000 ''"),
        (cloud(math.nan), "data: expected finite points"),
        (JointState(velocity=[math.inf]), "velocity: expected finite numbers, got inf"),
        (FaceExpression(valence=-1.5), "valence: expected values in -1..1, got -1.5 to -1.5"),
        (Marker(pose=UPRIGHT, color=ColorRGBA(a=1.5)), "color.a: expected values in 0..1, got 1.5"),
        (Marker(pose=UPRIGHT, colors=[ColorRGBA(g=-0.5)]), "colors: expected values in 0..1, got -0.5 to 0"),
        (Marker(pose=UPRIGHT, points=[Point(x=math.nan)]), "points: expected finite numbers, got nan"),
        (Marker(pose=UPRIGHT, scale=Vector3(y=math.inf)), "scale.y: expected finite numbers, got inf"),
        (
            TransformStamped(transform=Transform(rotation=Quaternion(w=0.5))),
            "rotation: expected a quaternion of norm 1",
        ),
        (
            JointTrajectory(points=[JointTrajectoryPoint(positions=[math.nan])]),
            "points[0].positions: expected finite numbers, got nan",
        ),
    ],
)
def test_each_rule_is_checked(message: Any, expected: str) -> None:
    (found,) = violations(message)
    assert expected in found
