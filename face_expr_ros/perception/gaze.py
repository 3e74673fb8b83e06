"""Gaze directions in the camera frame, from eye-in-head angles and the head pose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES, GAZE_RANGE, arkit_values, columns, gaze_angles
from face_expr_ros.core.facemesh_regions import IRISES
from face_expr_ros.core.geometry import apparent_rotation
from face_expr_ros.core.rotations import about_axis
from face_expr_ros.core.types import Blendshapes, FloatArray, Pose

# Iris, outer and inner eye corner: left eye, right eye.
_EYES = ((IRISES[1][0], 263, 362), (IRISES[0][0], 33, 133))
# Eye angle in radians per offset of the iris from the midpoint of the eye corners, in eye widths, and the offset of the
# neutral gaze: horizontal, vertical. The eyeball rotates about a center 0.34 widths behind the corners: factor 2.9.
# Horizontally, FaceMesh's iris moves 0.9 of the true offset. Vertically it moves a fifth, with errors of the same size:
# twice the factor minimizes the error on rendered faces (evaluation/gaze.py); more would amplify the noise.
_ANGLE_PER_WIDTH = np.array([3.2, 6.3])
_NEUTRAL_OFFSET = np.array([0.0, 0.035])


@dataclass(frozen=True)
class Gaze:
    """Unit vectors in the camera frame.

    Attributes:
        left, right: (3,) of the subject's left and right eye.
        combined: (3,) their normalized mean.
    """

    left: FloatArray
    right: FloatArray
    combined: FloatArray


class GazeFace(Protocol):
    """What the gaze is read from: a part of `FaceState`."""

    @property
    def id(self) -> str: ...
    @property
    def pose(self) -> Pose: ...
    @property
    def blendshapes(self) -> Blendshapes: ...
    @property
    def landmarks(self) -> NDArray[np.float32]: ...


def gaze(state: GazeFace) -> Gaze:
    """Gaze from the eyeLook blendshapes, or from the irises if the face has no ARKit blendshapes.

    The expression head estimates the eyeLook blendshapes from irises, eyelids and the image of the eyes.

    Raises:
        ValueError: the face has neither ARKit blendshapes nor landmarks.
    """
    if set(ARKIT_NAMES) <= set(state.blendshapes.names):
        return _directions(gaze_angles(arkit_values(state.blendshapes)), state.pose)
    return gaze_from_irises(state)


def combined_direction(state: GazeFace) -> tuple[float, float, float]:
    """`Gaze.combined` of :func:`gaze`, a unit vector; for so few numbers plain Python is faster than NumPy.

    Raises:
        ValueError: the face has neither ARKit blendshapes nor landmarks.
    """
    names = state.blendshapes.names
    if columns(names, ARKIT_NAMES) is None:
        x, y, z = gaze_from_irises(state).combined.tolist()
        return x, y, z
    values = state.blendshapes.values.tolist()
    if not all(map(math.isfinite, values)):
        raise ValueError("expected finite blendshapes, got NaN or infinity")
    (a, b, c), (d, e, f) = (_eye_forward(values, columns(names, eye) or (), sign) for eye, sign in _LOOKS)
    right, up, ahead = a + d, b + e, c + f
    x, y, z = [row[0] * right + row[1] * up + row[2] * ahead for row in state.pose.rotation.tolist()]
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def gaze_from_irises(state: GazeFace) -> Gaze:
    """Gaze from FaceMesh's iris centers and eye corners; vertically noisier than :func:`gaze`.

    Raises:
        ValueError: the face has no landmarks.
    """
    return _directions(iris_angles(state), state.pose)


def iris_angles(state: GazeFace) -> FloatArray:
    """Angles (2, 2) of the eyes in the head, radians: left eye first; to the subject's left, and up.

    Raises:
        ValueError: the face has no landmarks.
    """
    points = in_face_axes(state)
    offsets = []
    for iris, outer, inner in _EYES:
        width = max(float(np.linalg.norm(points[outer] - points[inner])), 1e-9)
        offsets.append((points[iris] - (points[outer] + points[inner]) / 2)[:2] / width)
    angles: FloatArray = (np.array(offsets) - _NEUTRAL_OFFSET) * _ANGLE_PER_WIDTH
    return angles


def eye_rotation(left: float, up: float) -> FloatArray:
    """Rotation (3, 3) in model axes of an eye that is turned to the subject's left and up, radians."""
    rotation: FloatArray = about_axis(1, left) @ about_axis(0, -up)
    return rotation


def in_face_axes(state: GazeFace) -> FloatArray:
    """FaceMesh landmarks (478, 3) in model axes, relative to their mean, in units of the distance between the irises.

    Raises:
        ValueError: the face has no landmarks.
    """
    if not len(state.landmarks):
        raise ValueError(f"expected landmarks, got none for the face {state.id!r}")
    points = state.landmarks.astype(np.float64) @ apparent_rotation(state.pose)
    distance = np.linalg.norm(points[IRISES[0][0]] - points[IRISES[1][0]])
    scaled: FloatArray = (points - points.mean(axis=0)) / max(float(distance), 1e-9)
    return scaled


def gaze_axes(directions: Gaze, pose: Pose) -> FloatArray:
    """Axes (3, 3) in the camera frame, as columns: z along the gaze, x to the subject's right, y towards the chin."""
    z = directions.combined
    x = np.cross(-pose.rotation[:, 1], z)
    x = x / np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


_LOOKS = tuple(
    (tuple(f"eyeLook{way}{side}" for way in ("Out", "In", "Up", "Down")), sign)
    for side, sign in (("Left", 1.0), ("Right", -1.0))
)


def _eye_forward(values: list[float], places: Sequence[int], sign: float) -> list[float]:
    """`_forward` of one eye from the blendshapes at four places (out, in, up, down); ``sign`` is 1 for the left
    eye, -1 for the right."""
    a, b, c, d = [min(1.0, max(0.0, values[place])) for place in places]
    left, above = GAZE_RANGE * (a - b) * sign, GAZE_RANGE * (c - d)
    return [math.sin(left) * math.cos(above), math.sin(above), math.cos(left) * math.cos(above)]


def _forward(left: float, up: float) -> FloatArray:
    """Where an eye looks that is turned to the subject's left and up, radians: the z axis of `eye_rotation`."""
    return np.array([math.sin(left) * math.cos(up), math.sin(up), math.cos(left) * math.cos(up)])


def _directions(angles: FloatArray, pose: Pose) -> Gaze:
    left, right = (pose.rotation @ _forward(*eye) for eye in angles.tolist())
    both = left + right
    return Gaze(left, right, both / np.linalg.norm(both))
