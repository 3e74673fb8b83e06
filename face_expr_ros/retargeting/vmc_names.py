"""Blendshapes by the names that VMC receivers expect; docs/avatars.md lists the receivers and has the same tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import FloatArray

Weights = Mapping[str, float]


def _mean(name: str, weight: float) -> dict[str, float]:
    return {f"{name}Left": weight / 2, f"{name}Right": weight / 2}


# VRM 0 blendshapes as weighted sums of ARKit blendshapes, clipped to 0..1. Blink is omitted: it would add to Blink_L
# and Blink_R in avatars that have all three.
VRM0: Mapping[str, Weights] = {
    "A": {"jawOpen": 1.5, "mouthFunnel": -1.0, "mouthPucker": -0.5},
    "I": {**_mean("mouthStretch", 1.0), "jawOpen": -0.5},
    "U": {"mouthPucker": 1.0, "mouthFunnel": -0.5},
    "E": {**_mean("mouthLowerDown", 0.7), **_mean("mouthUpperUp", 0.3), "jawOpen": -0.5},
    "O": {"mouthFunnel": 1.0, "mouthPucker": -0.3},
    "Blink_L": {"eyeBlinkLeft": 1.0},
    "Blink_R": {"eyeBlinkRight": 1.0},
    "Joy": _mean("mouthSmile", 1.0),
    "Angry": {**_mean("browDown", 0.8), **_mean("noseSneer", 0.2)},
    "Sorrow": {**_mean("mouthFrown", 0.6), "browInnerUp": 0.4},
    "Fun": _mean("cheekSquint", 1.0),
}
# Gaze of avatars that look by blendshapes and not by eye bones; left is the avatar's own.
_LOOK: Mapping[str, Weights] = {
    "LookUp": _mean("eyeLookUp", 1.0),
    "LookDown": _mean("eyeLookDown", 1.0),
    "LookLeft": {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5},
    "LookRight": {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5},
}
# The protocol's table of VRM 0 and VRM 1 names.
VRM1_NAMES = {
    "A": "aa", "I": "ih", "U": "ou", "E": "ee", "O": "oh", "Blink_L": "blinkLeft", "Blink_R": "blinkRight",
    "Joy": "happy", "Angry": "angry", "Sorrow": "sad", "Fun": "relaxed",
    "LookUp": "lookUp", "LookDown": "lookDown", "LookLeft": "lookLeft", "LookRight": "lookRight",
}  # fmt: skip
_SURPRISED: Weights = {"browInnerUp": 0.4, **_mean("browOuterUp", 0.3), **_mean("eyeWide", 0.3)}
VRM1: Mapping[str, Weights] = {
    **{VRM1_NAMES[name]: weights for name, weights in VRM0.items()},
    "surprised": _SURPRISED,
}
_LOOK1 = {VRM1_NAMES[name]: weights for name, weights in _LOOK.items()}
_VOWELS = (("A", "I", "U", "E", "O"), ("aa", "ih", "ou", "ee", "oh"))
PERFECT_SYNC = tuple(name[0].upper() + name[1:] for name in ARKIT_NAMES)


def _matrix(table: Mapping[str, Weights]) -> FloatArray:
    return np.array([[weights.get(name, 0.0) for name in ARKIT_NAMES] for weights in table.values()])


class _Mixer:
    """Named weighted sums of the ARKit blendshapes, with vowels whose sum is at most 1."""

    def __init__(self, table: Mapping[str, Weights], vowels: Sequence[str]) -> None:
        self._names, self._matrix = tuple(table), _matrix(table)
        self._vowels = [name for name in vowels if name in table]

    def __call__(self, values: FloatArray) -> dict[str, float]:
        result = dict(zip(self._names, np.clip(self._matrix @ values, 0.0, 1.0).tolist(), strict=True))
        total = sum(result[vowel] for vowel in self._vowels)
        if total > 1.0:
            result |= {vowel: result[vowel] / total for vowel in self._vowels}
        return result


def _named(names: Sequence[str]) -> Callable[[FloatArray], dict[str, float]]:
    return lambda values: dict(zip(names, values.tolist(), strict=True))


_CONVENTIONS: dict[str, Callable[[FloatArray], dict[str, float]]] = {
    "arkit": _named(ARKIT_NAMES),
    "perfect_sync": _named(PERFECT_SYNC),
    "vrm0": _Mixer(VRM0, _VOWELS[0]),
    "vrm1": _Mixer(VRM1, _VOWELS[1]),
}
_LOOKS = {"vrm0": _Mixer(_LOOK, ()), "vrm1": _Mixer(_LOOK1, ())}


def named_values(values: FloatArray, conventions: Sequence[str], look: bool) -> dict[str, float]:
    """Blendshapes by name.

    Args:
        values: (52,) from `arkit_values`.
        conventions: ``arkit``, ``perfect_sync``, ``vrm0`` and ``vrm1``; those of several are joined.
        look: with ``vrm0`` and ``vrm1``: add LookUp and so on, for avatars without eye bones.
    """
    result: dict[str, float] = {}
    for convention in conventions:
        result |= _CONVENTIONS[convention](values)
        if look and convention in _LOOKS:
            result |= _LOOKS[convention](values)
    return result
