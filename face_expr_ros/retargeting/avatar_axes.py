"""Head, eyes and blendshapes in the axes and orders of the avatar protocols; docs/avatars.md derives every sign.

All conversions start from the head rotation H in model axes (x to the subject's left, y up, z out of the face). H is
the identity for a face that looks along the optical axis into the camera.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from face_expr_ros.core.arkit import ARKIT_NAMES, GAZE_RANGE, mirrored_name
from face_expr_ros.core.facemesh_regions import IRISES
from face_expr_ros.core.geometry import FACING_CAMERA, rotation_to_axis
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, FaceState, FloatArray, Pose, Roi

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_COUNTERPART = [ARKIT_NAMES.index(mirrored_name(name)) for name in ARKIT_NAMES]
_LEFT = {way: ARKIT_NAMES.index(f"eyeLook{way}Left") for way in ("Down", "In", "Out", "Up")}
_RIGHT = {way: ARKIT_NAMES.index(f"eyeLook{way}Right") for way in ("Down", "In", "Out", "Up")}

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


def arkit_values(blendshapes: Blendshapes) -> FloatArray:
    """Blendshape values (52,) in 0..1, in the order of ``ARKIT_NAMES``, which is also Live Link's.

    Raises:
        ValueError: one of the ARKit blendshapes is missing, or a value is not finite.
    """
    if blendshapes.names == ARKIT_NAMES:
        values = blendshapes.values
    else:
        place = {name: index for index, name in enumerate(blendshapes.names)}
        missing = [name for name in ARKIT_NAMES if name not in place]
        if missing:
            raise ValueError(f"expected the 52 ARKit blendshapes, missing: {', '.join(missing)}")
        values = blendshapes.values[[place[name] for name in ARKIT_NAMES]]
    if not np.isfinite(values).all():
        raise ValueError("expected finite blendshapes, got NaN or infinity")
    return np.clip(values, 0.0, 1.0)


def head_rotation(pose: Pose) -> FloatArray:
    """H (3, 3): rotation from a face that looks into the camera to this one, in model axes."""
    rotation: FloatArray = FACING_CAMERA @ pose.rotation
    return rotation


def apparent_rotation(pose: Pose) -> FloatArray:
    """(3, 3) from model axes to a camera that looks along the ray to the face, as FaceMesh's crop does."""
    rotation: FloatArray = rotation_to_axis(pose.position) @ pose.rotation
    return rotation


def right_handed_degrees(rotation: FloatArray) -> tuple[float, float, float]:
    """Angles x, y, z of H = Ry Rx Rz: positive lowers the nose, turns to the subject's left, tilts to their right."""
    (_, _, r02), (r10, r11, r12), (_, _, r22) = rotation.tolist()
    x = math.asin(min(1.0, max(-1.0, -r12)))
    return math.degrees(x), math.degrees(math.atan2(r02, r22)), math.degrees(math.atan2(r10, r11))


def unity_quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """x, y, z, w of H in Unity's left-handed axes of an avatar: x to its right, y up, z forward.

    The change of handedness negates x, and with it the rotations about y and z.
    """
    x, y, z, w = Rotation.from_matrix(rotation).as_quat(canonical=True).tolist()
    return x + 0.0, 0.0 - y, 0.0 - z, w  # sums avoid negative zeros


def gaze_angles(values: FloatArray) -> FloatArray:
    """Angles (2, 2) of the eyes in the head, radians: left eye first; to the subject's left, and up.

    Args:
        values: (52,) from :func:`arkit_values`.
    """
    down, inward, outward, up = (values[[_LEFT[name], _RIGHT[name]]] for name in ("Down", "In", "Out", "Up"))
    angles: FloatArray = GAZE_RANGE * np.column_stack([(outward - inward) * (1.0, -1.0), up - down])
    return angles


def eye_rotation(left: float, up: float) -> FloatArray:
    """Rotation (3, 3) in model axes of an eye that is turned to the subject's left and up, radians."""
    rotation: FloatArray = Rotation.from_euler("YX", [left, -up]).as_matrix()
    return rotation


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
    turn = Rotation.from_matrix(first.pose.rotation.T @ second.pose.rotation)
    rotation = first.pose.rotation @ (turn**fraction).as_matrix()
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


def in_face_axes(state: FaceState) -> FloatArray:
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
