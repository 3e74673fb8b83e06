"""Action units of the Facial Action Coding System, read from the 52 ARKit blendshapes by a table.

Numbers and names are those of Ekman, Friesen and Hager, "Facial Action Coding System", 2002. ARKit's blendshapes are
based on FACS but do not follow it exactly; docs/expression.md lists the approximate rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.by_identity import cached_by_identity
from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.kernels.small_vectors import matrix_product


@dataclass(frozen=True)
class ActionUnit:
    """One row of the table: intensity = offset + sum of weight * blendshape, clipped to 0..1.

    Attributes:
        name: "AU" and the FACS number, or "AD" for descriptors and gaze; L and R are the subject's own sides.
        meaning: its name in FACS.
        weights: by the name of the blendshape.
    """

    name: str
    meaning: str
    weights: Mapping[str, float]
    offset: float = 0.0


def _both(name: str, meaning: str, *pairs: str) -> ActionUnit:
    """The mean of the left and the right of one or more pairs of blendshapes."""
    weight = 0.5 / len(pairs)
    return ActionUnit(name, meaning, {pair + side: weight for pair in pairs for side in ("Left", "Right")})


def _one(name: str, meaning: str, *blendshapes: str) -> ActionUnit:
    """The sum of blendshapes."""
    return ActionUnit(name, meaning, dict.fromkeys(blendshapes, 1.0))


_LIPS_APART = {
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthFunnel": 0.5,
    "mouthUpperUpLeft": 0.25,
    "mouthUpperUpRight": 0.25,
    "mouthLowerDownLeft": 0.25,
    "mouthLowerDownRight": 0.25,
}

TABLE = (
    _one("AU1", "inner brow raiser", "browInnerUp"),
    _both("AU2", "outer brow raiser", "browOuterUp"),
    _one("AU2L", "outer brow raiser, left", "browOuterUpLeft"),
    _one("AU2R", "outer brow raiser, right", "browOuterUpRight"),
    _both("AU4", "brow lowerer", "browDown"),
    _both("AU5", "upper lid raiser", "eyeWide"),
    _both("AU6", "cheek raiser", "cheekSquint"),
    _both("AU7", "lid tightener", "eyeSquint"),
    _both("AU9", "nose wrinkler", "noseSneer"),
    _both("AU10", "upper lip raiser", "mouthUpperUp"),
    _both("AU12", "lip corner puller", "mouthSmile"),
    _one("AU12L", "lip corner puller, left", "mouthSmileLeft"),
    _one("AU12R", "lip corner puller, right", "mouthSmileRight"),
    _both("AU14", "dimpler", "mouthDimple"),
    _one("AU14L", "dimpler, left", "mouthDimpleLeft"),
    _one("AU14R", "dimpler, right", "mouthDimpleRight"),
    _both("AU15", "lip corner depressor", "mouthFrown"),
    _both("AU16", "lower lip depressor", "mouthLowerDown"),
    _one("AU17", "chin raiser", "mouthShrugLower"),
    _one("AU18", "lip puckerer", "mouthPucker"),
    _one("AD19", "tongue show", "tongueOut"),
    _both("AU20", "lip stretcher", "mouthStretch"),
    _one("AU22", "lip funneler", "mouthFunnel"),
    _both("AU24", "lip pressor", "mouthPress"),
    ActionUnit("AU25", "lips part", _LIPS_APART),
    _one("AU26", "jaw drop", "jawOpen"),
    ActionUnit("AU27", "mouth stretch", {"jawOpen": 2.0}, offset=-1.0),
    ActionUnit("AU28", "lip suck", {"mouthRollLower": 0.5, "mouthRollUpper": 0.5}),
    _one("AD29", "jaw thrust", "jawForward"),
    _one("AD30", "jaw sideways", "jawLeft", "jawRight"),
    _one("AD34", "puff", "cheekPuff"),
    _both("AU45", "blink", "eyeBlink"),
    _one("AU45L", "blink, left", "eyeBlinkLeft"),
    _one("AU45R", "blink, right", "eyeBlinkRight"),
    ActionUnit("AD61", "eyes turn left", {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}),
    ActionUnit("AD62", "eyes turn right", {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5}),
    _both("AD63", "eyes up", "eyeLookUp"),
    _both("AD64", "eyes down", "eyeLookDown"),
)
NAMES = tuple(unit.name for unit in TABLE)
REQUIRED = frozenset(name for unit in TABLE for name in unit.weights)
_OFFSETS = np.array([unit.offset for unit in TABLE])


def readable(blendshapes: Blendshapes) -> bool:
    """Whether all blendshapes of the table are available; a face model without ARKit's names has none."""
    return _matrix(blendshapes.names) is not None


def intensities(blendshapes: Blendshapes) -> FloatArray:
    """(len(NAMES),) in 0..1, in the order of the table.

    Raises:
        ValueError: a blendshape of the table is missing.
    """
    matrix = _matrix(blendshapes.names)
    if matrix is None:
        missing = ", ".join(sorted(REQUIRED - set(blendshapes.names)))
        raise ValueError(f"expected ARKit's blendshapes for the action units, got none named {missing}")
    units = matrix_product(matrix, blendshapes.values, _OFFSETS)
    np.maximum(units, 0.0, out=units)
    return np.minimum(units, 1.0, out=units)


@cached_by_identity
def _matrix(names: tuple[str, ...]) -> FloatArray | None:
    """(len(NAMES), len(names)) weights; None if a blendshape is missing."""
    if not REQUIRED.issubset(names):
        return None
    return np.array([[unit.weights.get(name, 0.0) for name in names] for unit in TABLE])
