"""Head, eyes and blendshapes in the axes and orders of the avatar protocols; docs/avatars.md derives every sign.

All conversions start from the head rotation H in model axes (x to the subject's left, y up, z out of the face). H is
the identity for a face that looks along the optical axis into the camera.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values, mirrored_name
from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.rotations import canonical_quaternion, fraction_of
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, FloatArray, Pose, Roi

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_COUNTERPART = [ARKIT_NAMES.index(mirrored_name(name)) for name in ARKIT_NAMES]

NEUTRAL_FACE = FaceState(
    id="",
    stamp_ns=0,
    confidence=0.0,
    roi=Roi(0.0, 0.0, 0.0, 0.0),
    pose=Pose(FACING_CAMERA, np.array([0.0, 0.0, 0.6]), False),
    model="",
    shape=np.zeros(0),
    expression=np.zeros(0),
    blendshapes=Blendshapes(ARKIT_NAMES, np.zeros(len(ARKIT_NAMES))),
    readouts=NO_READOUTS,
    landmarks=np.zeros((0, 3), np.float32),
)


def unity_quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """x, y, z, w of H in Unity's left-handed axes of an avatar: x to its right, y up, z forward.

    The change of handedness negates x, and with it the rotations about y and z.
    """
    x, y, z, w = canonical_quaternion(rotation).tolist()
    return x + 0.0, 0.0 - y, 0.0 - z, w  # sums avoid negative zeros


def mirrored(state: FaceState) -> FaceState:
    """The mirror image of a face: left and right are swapped in pose and blendshapes.

    The landmarks are not mirrored, because their order distinguishes left and right.
    """
    position = state.pose.position * (-1.0, 1.0, 1.0)
    pose = Pose(_MIRROR @ state.pose.rotation @ _MIRROR, position, state.pose.metric)
    values = arkit_values(state.blendshapes)[_COUNTERPART]
    return replace(state, pose=pose, blendshapes=Blendshapes(ARKIT_NAMES, values))


def interpolate(first: FaceState, second: FaceState, fraction: float) -> FaceState:
    """Pose, blendshapes and landmarks interpolated between two faces; ``fraction`` is 0..1."""
    if fraction >= 1.0:
        return second
    turn = first.pose.rotation.T @ second.pose.rotation
    rotation = first.pose.rotation @ fraction_of(turn, fraction)
    position = (1 - fraction) * first.pose.position + fraction * second.pose.position
    values = (1 - fraction) * arkit_values(first.blendshapes) + fraction * arkit_values(second.blendshapes)
    landmarks = second.landmarks
    if len(first.landmarks) == len(second.landmarks):
        landmarks = ((1 - fraction) * first.landmarks + fraction * second.landmarks).astype(np.float32)
    return replace(
        second,
        pose=Pose(rotation, position, second.pose.metric),
        blendshapes=Blendshapes(ARKIT_NAMES, values),
        landmarks=landmarks,
    )


def relaxed(state: FaceState, fraction: float) -> FaceState:
    """The face interpolated towards neutral: no expression, facing the camera, at the same position."""
    neutral = replace(NEUTRAL_FACE, pose=Pose(FACING_CAMERA, state.pose.position, state.pose.metric))
    return replace(interpolate(state, neutral, fraction), id=state.id, stamp_ns=state.stamp_ns)
