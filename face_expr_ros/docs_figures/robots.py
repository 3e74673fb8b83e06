"""Figure of the robot neck that imitates people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, Pose, Roi
from face_expr_ros.drawing.robot import Robot
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import load_joints
from face_expr_ros.synthetic.scene import FaceRenderer

Image = NDArray[np.uint8]

# Yaw, pitch and roll in degrees, and blendshapes.
_PEOPLE: tuple[tuple[tuple[float, float, float], Mapping[str, float]], ...] = (
    ((0, 0, 0), {}),
    ((30, 0, 0), {"jawOpen": 0.8, "browInnerUp": 1.0, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8}),
    ((0, -15, 0), {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
    ((0, 0, 20), {"eyeBlinkRight": 0.9, "browOuterUpLeft": 1.0, "jawOpen": 0.3}),
)
_SETTLED = 2.0  # seconds
_SIZE = (300, 330)  # pixels, width and height of a tile
_VIEW_DISTANCE, _VIEW_HEIGHT = 0.85, 0.21  # meters in front of the neck and above its base


def neck_picture(model: MorphableModel) -> Image:
    """Top row: people in the image of the robot's camera; bottom row: the robot from the front."""
    renderer, robot = FaceRenderer(model), Robot(resource_path("config/heads/neck.urdf"))
    camera = pinhole_camera(*_SIZE, 26.0)
    columns = []
    for angles, values in _PEOPLE:
        pose = Pose(rotation_from_euler(*np.radians(angles)), np.array([0.0, -0.02, 0.85]), metric=True)
        coefficients = np.array([values.get(name, 0.0) for name in model.expression_names])
        person = renderer.render(model.vertices(expression=coefficients), pose, camera)
        state = _state(pose, Blendshapes(model.expression_names, coefficients))
        columns.append(np.vstack([person, robot.draw(_joints(state), camera, _robot_to_viewer())]))
    return np.hstack(columns)


def _joints(face: FaceState) -> dict[str, float]:
    """Joint positions of the neck after it has followed the face until it settles."""
    controller = HeadController(load_joints("neck"), HeadControlConfig(), print)
    for step in range(round(_SETTLED * 50)):
        targets = controller((face,), step * 20_000_000)
    return dict(zip(targets.names, targets.positions, strict=True))


def _state(pose: Pose, blendshapes: Blendshapes) -> FaceState:
    empty = np.zeros(0)
    landmarks = np.zeros((0, 3), np.float32)
    roi = Roi(0.0, 0.0, 1.0, 1.0)
    return FaceState("f1", 0, 1.0, roi, pose, "open", empty, empty, blendshapes, NO_READOUTS, landmarks)


def _robot_to_viewer() -> NDArray[np.floating]:
    """(4, 4) from the robot's axes to the optical frame of a camera in front of it."""
    view = np.eye(4)
    view[:3, :3] = [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]
    view[:3, 3] = [0.0, _VIEW_HEIGHT, _VIEW_DISTANCE]
    return view
