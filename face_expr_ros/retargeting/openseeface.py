"""OpenSeeFace protocol: 1785 bytes per face to port 11573 (VSeeFace, VTube Studio, Godot, Inochi2D).

OpenSeeFace fits a face with x to the subject's right, y up and z out of the face, in its own units, to pixels in the
order row, column, and its solver converges to negative depths. docs/avatars.md derives the resulting conventions.
"""

from __future__ import annotations

import math
import re
import struct

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values
from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.rotations import canonical_quaternion
from face_expr_ros.core.types import FaceState, FloatArray, Pose
from face_expr_ros.perception.gaze import in_face_axes
from face_expr_ros.retargeting.avatar_config import OpenSeeFaceConfig

SIZE = 1785
# The 68 iBUG points without the mouth corners 48 and 54, then the right and left pupil.
POINTS = (*(point for number, point in enumerate(IBUG68) if number not in (48, 54)), IRISES[0][0], IRISES[1][0])
UNIT = 0.122  # meters per unit: pupils are 0.516 units apart, 63 mm in adults
PUPIL_DISTANCE = 0.516  # units
EYEBALL_DEPTH = 0.385  # from the midpoint of the eye corners to the center of the eyeball, in eye widths

_AXES = np.diag([-1.0, 1.0, 1.0])  # OpenSeeFace's face axes to model axes, and back
_ROWS_FIRST = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_NOSE, _CORNERS = 30, ((36, 39), (42, 45))


def encode(state: FaceState, *, seconds: float, config: OpenSeeFaceConfig) -> bytes:
    """Encode one packet; empty if the face has no landmarks, when OpenSeeFace sends nothing either.

    Args:
        state: the face.
        seconds: time since the sender started.
        config: image size.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    shapes = dict(zip(ARKIT_NAMES, arkit_values(state.blendshapes).tolist(), strict=True))
    if not len(state.landmarks):
        return b""
    rotation = solver_rotation(state.pose)
    x, y, z = state.pose.position / UNIT
    pixels = state.landmarks[list(POINTS), :2]
    return b"".join(
        [
            struct.pack("=diff", seconds, _number(state.id), config.width, config.height),
            struct.pack("=ffBf", 1 - shapes["eyeBlinkRight"], 1 - shapes["eyeBlinkLeft"], 1, 0.0),
            struct.pack("=4f", *canonical_quaternion(rotation.T)),
            struct.pack("=3f", *_euler_degrees(rotation)),
            struct.pack("=3f", -y, -x, -z),
            np.full(len(POINTS), state.confidence, "=f4").tobytes(),
            pixels.astype("=f4").tobytes(),
            (points(state) * (1.0, -1.0, -1.0)).astype("=f4").tobytes(),
            struct.pack("=14f", *features(shapes)),
        ]
    )


def solver_rotation(pose: Pose) -> FloatArray:
    """The rotation (3, 3) that OpenSeeFace's solver finds for a head.

    The face is mirrored and its depths are negative, which is a half turn of the head about the camera ray.
    """
    ray = pose.position / np.linalg.norm(pose.position)
    half_turn = 2.0 * np.outer(ray, ray) - np.eye(3)
    rotation: FloatArray = _ROWS_FIRST @ half_turn @ pose.rotation @ _AXES
    return rotation


def _euler_degrees(rotation: FloatArray) -> tuple[float, float, float]:
    """Angles x, y, z of Rz Ry Rx."""
    (r00, _, _), (r10, _, _), (r20, r21, r22) = rotation.tolist()
    y = math.asin(min(1.0, max(-1.0, -r20)))
    return math.degrees(math.atan2(r21, r22)), math.degrees(y), math.degrees(math.atan2(r10, r00))


def points(state: FaceState) -> FloatArray:
    """Points (70, 3) in OpenSeeFace's axes and units, relative to the nose tip; the eyeball centers are last."""
    face = (in_face_axes(state) * PUPIL_DISTANCE) @ _AXES
    face = face - face[IBUG68[_NOSE]]
    centers = []
    for outer, inner in _CORNERS:
        corners = face[[IBUG68[outer], IBUG68[inner]]]
        depth = EYEBALL_DEPTH * np.linalg.norm(corners[0] - corners[1])
        centers.append(corners.mean(axis=0) - (0.0, 0.0, depth))
    return np.concatenate([face[list(POINTS)], centers])


def features(shapes: dict[str, float]) -> list[float]:
    """The 14 features, -1..1 relative to the neutral face: eyes, brows, mouth corners, mouth.

    Eyes are 0 open and -1 closed; positive brows are up, steeper, bent; positive mouth corners are down and out.
    """
    sides = ("Left", "Right")
    eyes = [shapes[f"eyeWide{side}"] - shapes[f"eyeBlink{side}"] for side in sides]
    brows = [value for side in sides for value in _brow(shapes, side)]
    corners = [value for side in sides for value in _corner(shapes, side)]
    wide = sum(corners[1::2]) / 2
    return [*eyes, *brows, *corners, shapes["jawOpen"] - shapes["mouthClose"], wide]


def _brow(shapes: dict[str, float], side: str) -> tuple[float, float, float]:
    """Steepness, up, quirk."""
    inner, outer, down = shapes["browInnerUp"], shapes[f"browOuterUp{side}"], shapes[f"browDown{side}"]
    return _limited(outer - inner + down), _limited((inner + outer) / 2 - down), _limited(outer - down)


def _corner(shapes: dict[str, float], side: str) -> tuple[float, float]:
    """Down, out."""
    smile, stretch = shapes[f"mouthSmile{side}"], shapes[f"mouthStretch{side}"]
    narrow = (shapes["mouthPucker"] + shapes["mouthFunnel"]) / 2
    return _limited(shapes[f"mouthFrown{side}"] - smile), _limited((smile + stretch) / 2 - narrow)


def _limited(value: float) -> float:
    return min(1.0, max(-1.0, value))


def _number(face_id: str) -> int:
    """The number in an id, 12 for "f12"; 0 if there is none."""
    match = re.search(r"\d+", face_id)
    return int(match[0]) if match else 0
