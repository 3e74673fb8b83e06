"""Faces for the tests of avatars and of REP-155."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera, pixels_with_depth, rotation_from_euler, to_camera
from face_expr_ros.core.types import Blendshapes, FaceState, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.retargeting.avatar_axes import NEUTRAL_FACE

ROUNDING = 1e-6  # of float32
HALF = math.sin(math.radians(15))  # sine and cosine of half of 30 degrees
WHOLE = math.cos(math.radians(15))
CAMERA = pinhole_camera(640, 480, 45.0)

# Rotations of the head by 30 degrees: yaw, pitch and roll in the package's signs.
TURNS = {"left": (-30.0, 0.0, 0.0), "up": (0.0, 30.0, 0.0), "tilt to the right": (0.0, 0.0, -30.0)}


def make_state(
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    position: tuple[float, float, float] = (0.0, 0.0, 0.6),
    **shapes: float,
) -> FaceState:
    """The face f12 with landmarks; angles in degrees in the package's signs, blendshapes by ARKit name."""
    assert set(shapes) <= set(ARKIT_NAMES)
    values = np.array([shapes.get(name, 0.0) for name in ARKIT_NAMES])
    rotation = rotation_from_euler(*np.radians([yaw, pitch, roll]))
    pose = Pose(rotation, np.array(position), True)
    model = _model()
    points = model.facemesh_points(model.vertices(None, values))
    landmarks = pixels_with_depth(to_camera(points, pose), pose, CAMERA).astype(np.float32)
    blendshapes = Blendshapes(ARKIT_NAMES, values)
    return replace(NEUTRAL_FACE, id="f12", confidence=0.75, pose=pose, blendshapes=blendshapes, landmarks=landmarks)


def every_shape() -> dict[str, Any]:
    """A different value for each of the 52 blendshapes."""
    return {name: (number + 1) / 100 for number, name in enumerate(ARKIT_NAMES)}


@cache
def _model() -> MorphableModel:
    return open_face_model("open")
