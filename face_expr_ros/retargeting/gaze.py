"""Where the eyes look: eye in head plus head pose, as directions in the camera frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.facemesh_regions import IRISES
from face_expr_ros.core.types import FaceState, FloatArray, Pose
from face_expr_ros.retargeting.avatar_axes import arkit_values, eye_rotation, gaze_angles, in_face_axes

_OUT_OF_THE_FACE = np.array([0.0, 0.0, 1.0])
# Iris, outer and inner corner of left and right eye.
_EYES = ((IRISES[1][0], 263, 362), (IRISES[0][0], 33, 133))
# Radians for an iris that is off the middle between the corners by the width of the eye, aside and up, and how far up
# it is at rest. An eyeball turns about its center, 0.34 widths behind, which gives 2.9; FaceMesh follows irises by 0.9
# of that aside. Up and down it follows by a fifth, with as much error again: twice the factor errs least on drawn
# people (evaluation/gaze.py), more would enlarge the errors.
_PER_WIDTH = np.array([3.2, 6.3])
_AT_REST = np.array([0.0, 0.035])


@dataclass(frozen=True)
class Gaze:
    """Unit vectors in the camera frame.

    Attributes:
        left, right: (3,) of the subject's own eyes.
        combined: (3,) between them.
    """

    left: FloatArray
    right: FloatArray
    combined: FloatArray


def gaze(state: FaceState) -> Gaze:
    """From the eyeLook blendshapes, which the expression head reads from irises, lids and the picture of the eyes.

    Where the face has none of them, from the irises alone.

    Raises:
        ValueError: there are neither blendshapes nor irises.
    """
    if set(ARKIT_NAMES) <= set(state.blendshapes.names):
        return _directions(gaze_angles(arkit_values(state.blendshapes)), state.pose)
    return gaze_from_irises(state)


def gaze_from_irises(state: FaceState) -> Gaze:
    """From FaceMesh's iris centers and corners of the eyes alone; noisier up and down than :func:`gaze`.

    Raises:
        ValueError: FaceMesh does not see the face.
    """
    return _directions(iris_angles(state), state.pose)


def iris_angles(state: FaceState) -> FloatArray:
    """(2, 2) radians of the eyes in the head, left eye first: to the subject's left and up.

    Raises:
        ValueError: FaceMesh does not see the face.
    """
    points = in_face_axes(state)
    offsets = []
    for iris, outer, inner in _EYES:
        width = max(float(np.linalg.norm(points[outer] - points[inner])), 1e-9)
        offsets.append((points[iris] - (points[outer] + points[inner]) / 2)[:2] / width)
    angles: FloatArray = (np.array(offsets) - _AT_REST) * _PER_WIDTH
    return angles


def gaze_axes(looking: Gaze, pose: Pose) -> FloatArray:
    """(3, 3) axes in the camera frame, as columns: z along the gaze, x to the subject's right, y to the chin."""
    z = looking.combined
    x = np.cross(-pose.rotation[:, 1], z)
    x = x / np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def _directions(angles: FloatArray, pose: Pose) -> Gaze:
    left, right = (pose.rotation @ eye_rotation(*eye) @ _OUT_OF_THE_FACE for eye in angles)
    both = left + right
    return Gaze(left, right, both / np.linalg.norm(both))
