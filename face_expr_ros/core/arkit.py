"""ARKit's 52 blendshapes: their names in Live Link's order, and the range of the gaze."""

from __future__ import annotations

import math

import numpy as np

from face_expr_ros.core.by_identity import cached_by_identity
from face_expr_ros.core.types import Blendshapes, FloatArray

_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
ARKIT_NAMES = (
    *(f"{name}Left" for name in _EYE),
    *(f"{name}Right" for name in _EYE),
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

GAZE_RANGE = math.radians(28.0)  # rotation of a real eye, radians, for an eyeLook blendshape of 1
_LEFT = {way: ARKIT_NAMES.index(f"eyeLook{way}Left") for way in ("Down", "In", "Out", "Up")}
_RIGHT = {way: ARKIT_NAMES.index(f"eyeLook{way}Right") for way in ("Down", "In", "Out", "Up")}


def mirrored_name(name: str) -> str:
    """The name of the same blendshape on the other side of the face; a name without a side is returned unchanged."""
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


@cached_by_identity
def columns(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...] | None:
    """The places of the ``wanted`` names; None if one is missing."""
    place = {name: index for index, name in enumerate(names)}
    return tuple(place[name] for name in wanted) if place.keys() >= set(wanted) else None


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


def gaze_angles(values: FloatArray) -> FloatArray:
    """Angles (2, 2) of the eyes in the head, radians: left eye first; to the subject's left, and up.

    Args:
        values: (52,) from `arkit_values`.
    """
    down, inward, outward, up = (values[[_LEFT[name], _RIGHT[name]]] for name in ("Down", "In", "Out", "Up"))
    angles: FloatArray = GAZE_RANGE * np.column_stack([(outward - inward) * (1.0, -1.0), up - down])
    return angles
