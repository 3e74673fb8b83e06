"""Quantities of a face that can drive a joint, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import euler_angles
from face_expr_ros.core.types import FaceState
from face_expr_ros.perception.expression import facs

# Angles in radians, relative to the camera, so that they also suit joints that move the camera.
QUANTITIES: dict[str, Callable[[FaceState], float]] = {
    "yaw": lambda face: euler_angles(face.pose.rotation)[0],
    "pitch": lambda face: euler_angles(face.pose.rotation)[1],
    "roll": lambda face: euler_angles(face.pose.rotation)[2],
    "bearing": lambda face: bearing_and_elevation(face)[0],
    "elevation": lambda face: bearing_and_elevation(face)[1],
    "distance": lambda face: distance(face),
    "valence": lambda face: face.readouts.valence,
    "arousal": lambda face: face.readouts.arousal,
    "mouth_open": lambda face: float(face.readouts.mouth_open),
}
ACTION_UNITS = tuple(unit.name for unit in facs.TABLE)
NAMES = (*QUANTITIES, *ARKIT_NAMES, *ACTION_UNITS)


def bearing_and_elevation(face: FaceState) -> tuple[float, float]:
    """Direction from the camera to the sellion, radians: positive to image right, and positive up."""
    x, y, z = face.pose.position.tolist()
    return math.atan2(x, z), math.atan2(-y, math.hypot(x, z))


def distance(face: FaceState) -> float:
    """Distance from the camera to the sellion, meters."""
    return math.dist(face.pose.position.tolist(), (0.0, 0.0, 0.0))


def quantity(face: FaceState, name: str) -> float:
    """The value of one of ``NAMES``; NaN if the face does not have it."""
    if name in QUANTITIES:
        return QUANTITIES[name](face)
    readouts, shapes = face.readouts, face.blendshapes
    for names, values in ((shapes.names, shapes.values), (readouts.action_unit_names, readouts.action_units)):
        if name in names:
            return float(values[names.index(name)])
    return math.nan


def weighted_sum(face: FaceState, weights: Mapping[str, float]) -> float:
    """The weighted sum of quantities; NaN or infinite if one of them is."""
    return sum(weight * quantity(face, name) for name, weight in weights.items())
