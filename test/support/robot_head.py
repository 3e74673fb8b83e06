"""Faces, and a head controller called at 50 Hz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import Blendshapes, FaceState, Pose, Readouts, Roi
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import Joint, JointTargets

PERIOD = 20_000_000  # ns, of 50 Hz
SECOND = 1_000_000_000  # ns
START = 1_700_000_000 * SECOND
TOLERANCE = 0.001  # of a limit
NEAR, FAR = (0.0, 0.0, 0.6), (0.0, 0.0, 1.2)  # meters
YAW = Joint(source={"yaw": 1.0}, minimum=-1.2, maximum=1.2, velocity=2.0, acceleration=8.0)


def face(
    face_id: str = "f1",
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    position: Sequence[float] = (0.0, 0.0, 1.0),
    width: float = 100.0,
    stamp_ns: int = 0,
    **blendshapes: float,
) -> FaceState:
    return FaceState(
        id=face_id,
        stamp_ns=stamp_ns,
        confidence=1.0,
        roi=Roi(0.0, 0.0, width, width),
        pose=Pose(rotation_from_euler(yaw, pitch, roll), np.array(position, float), metric=True),
        model="open",
        shape=np.zeros(0),
        expression=np.zeros(0),
        blendshapes=Blendshapes(tuple(blendshapes), np.array([*blendshapes.values()])),
        readouts=Readouts(("AU12",), np.array([0.3]), 0.4, -0.2, "happy", True, 0.75, 0.6),
        landmarks=np.zeros((0, 3), np.float32),
    )


class Head:
    """A controller called at 50 Hz, with its warnings and targets."""

    def __init__(self, *joints: Joint, **settings: Any) -> None:
        self.warnings: list[str] = []
        table = {f"joint_{number}": joint for number, joint in enumerate(joints or (YAW,))}
        self.controller = HeadController(table, HeadControlConfig(**settings), self.warnings.append)
        self.now_ns = START
        self.targets: list[JointTargets] = []

    def run(self, seconds: float, *faces: FaceState, silent: bool = False) -> JointTargets:
        """Publish these faces at 50 Hz for some seconds; faces without a stamp get the current time."""
        for _ in range(round(seconds * SECOND / PERIOD)):
            self.now_ns += PERIOD
            stamped = [one if one.stamp_ns else replace(one, stamp_ns=self.now_ns) for one in faces]
            self.targets.append(self.controller(None if silent else tuple(stamped), self.now_ns))
        return self.targets[-1]

    @property
    def position(self) -> float:
        return self.targets[-1].positions[0]


def excess(targets: list[JointTargets], joints: Sequence[Joint], times: Sequence[float]) -> float:
    """The largest relative excess over a limit of velocity or acceleration; negative if all limits hold.

    Both the reported velocities and those measured from the positions are checked.
    """
    positions = np.array([target.positions for target in targets])
    velocities = np.array([target.velocities for target in targets])
    steps = np.diff(times)[:, None]
    measured = np.diff(positions, axis=0) / steps
    fastest = np.array([joint.velocity for joint in joints])
    steepest = np.array([joint.acceleration for joint in joints])
    parts = [
        np.abs(velocities) / fastest,
        np.abs(measured) / fastest,
        np.abs(np.diff(velocities, axis=0) / steps) / steepest,
        np.abs(np.diff(measured, axis=0) * 2 / (steps[1:] + steps[:-1])) / steepest,
    ]
    return float(np.max([part.max() for part in parts])) - 1


def assert_within_limits(targets: list[JointTargets], joints: Sequence[Joint], times: Sequence[float]) -> None:
    """Check velocity, acceleration and position."""
    positions = np.array([target.positions for target in targets])
    assert np.isfinite(positions).all()
    assert (positions >= [joint.minimum - 1e-9 for joint in joints]).all()
    assert (positions <= [joint.maximum + 1e-9 for joint in joints]).all()
    assert excess(targets, joints, times) <= TOLERANCE


def times(count: int) -> list[float]:
    return [index * PERIOD / SECOND for index in range(count)]
