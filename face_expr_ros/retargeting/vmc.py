"""VMC protocol: OSC bundles over UDP for VRM avatars (VSeeFace, EVMC4U, VRM4U, Godot, Blender, Warudo).

Format: protocol.vmc.info, "Marionette". Axes: Unity's, left-handed; x to the avatar's right, y up, z forward.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from scipy.spatial.transform import Rotation

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values, gaze_angles
from face_expr_ros.core.head_axes import head_rotation
from face_expr_ros.core.types import FaceState, FloatArray
from face_expr_ros.perception.gaze import eye_rotation
from face_expr_ros.retargeting.avatar_axes import unity_quaternion
from face_expr_ros.retargeting.avatar_config import VmcConfig

MAX_BUNDLE = 1400  # bytes; fits into one Ethernet frame, which avoids fragmentation


def _both(name: str, weight: float) -> dict[str, float]:
    return {f"{name}Left": weight / 2, f"{name}Right": weight / 2}


# VRM 0 blendshapes as weighted sums of ARKit blendshapes, clipped to 0..1; docs/avatars.md has the same table.
VRM0: Mapping[str, Mapping[str, float]] = {
    "A": {"jawOpen": 1.5, "mouthFunnel": -1.0, "mouthPucker": -0.5},
    "I": {**_both("mouthStretch", 1.0), "jawOpen": -0.5},
    "U": {"mouthPucker": 1.0, "mouthFunnel": -0.5},
    "E": {**_both("mouthLowerDown", 0.7), **_both("mouthUpperUp", 0.3), "jawOpen": -0.5},
    "O": {"mouthFunnel": 1.0, "mouthPucker": -0.3},
    "Blink_L": {"eyeBlinkLeft": 1.0},
    "Blink_R": {"eyeBlinkRight": 1.0},
    "Joy": _both("mouthSmile", 1.0),
    "Angry": {**_both("browDown", 0.8), **_both("noseSneer", 0.2)},
    "Sorrow": {**_both("mouthFrown", 0.6), "browInnerUp": 0.4},
    "Fun": _both("cheekSquint", 1.0),
}
VOWELS = ("A", "I", "U", "E", "O")
_VRM0 = np.array([[weights.get(name, 0.0) for name in ARKIT_NAMES] for weights in VRM0.values()])


def vrm0_values(values: FloatArray) -> dict[str, float]:
    """VRM 0 blendshapes from ARKit values (52,); vowels are scaled so that their sum is at most 1."""
    result = dict(zip(VRM0, np.clip(_VRM0 @ values, 0.0, 1.0).tolist(), strict=True))
    total = sum(result[vowel] for vowel in VOWELS)
    if total > 1.0:
        result |= {vowel: result[vowel] / total for vowel in VOWELS}
    return result


def encode(state: FaceState, *, seconds: float, tracked: bool, config: VmcConfig) -> list[bytes]:
    """Encode one frame as datagrams, in sending order.

    Args:
        state: the face.
        seconds: time since the sender started.
        tracked: a face is tracked; False while the avatar returns to neutral and afterwards.
        config: settings of the target.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    values = arkit_values(state.blendshapes)
    messages = [
        _message("/VMC/Ext/OK", int(tracked)),
        _message("/VMC/Ext/T", float(seconds)),
        _message("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    ]
    for bone, rotation in _bones(state, values, config).items():
        messages.append(_message("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *unity_quaternion(rotation)))
    for name, value in _blendshapes(values, config).items():
        messages.append(_message("/VMC/Ext/Blend/Val", name, value))
    return _bundles([*messages, _message("/VMC/Ext/Blend/Apply")])


def _blendshapes(values: FloatArray, config: VmcConfig) -> dict[str, float]:
    named = {} if config.names == "vrm0" else dict(zip(ARKIT_NAMES, values.tolist(), strict=True))
    return named if config.names == "arkit" else named | vrm0_values(values)


def _bones(state: FaceState, values: FloatArray, config: VmcConfig) -> dict[str, FloatArray]:
    """Rotations (3, 3) in model axes, relative to the parent bone; neck and head share the head rotation."""
    head = head_rotation(state.pose.rotation)
    neck = (Rotation.from_matrix(head) ** config.neck_share).as_matrix()
    bones: dict[str, FloatArray] = {"Neck": neck, "Head": neck.T @ head}
    if config.eye_bones:
        for name, angles in zip(("LeftEye", "RightEye"), gaze_angles(values), strict=True):
            bones[name] = eye_rotation(*angles)
    return bones


def _message(address: str, *arguments: str | int | float) -> bytes:
    """One OSC message, with its numbers last.

    python-osc builds and parses every message. The bytes before the numbers are therefore built once per address and
    name and cached, which halves the time.
    """
    texts = tuple(argument for argument in arguments if isinstance(argument, str))
    numbers = [argument for argument in arguments if not isinstance(argument, str)]
    types = "".join("i" if isinstance(number, int) else "f" for number in numbers)
    start = _message_start(address, texts, types)
    return start + struct.pack(f">{types}", *numbers)


@lru_cache(maxsize=256)
def _message_start(address: str, texts: tuple[str, ...], types: str) -> bytes:
    """The bytes of a message before its numbers."""
    builder = OscMessageBuilder(address)
    for text in texts:
        builder.add_arg(text)
    for kind in types:
        builder.add_arg(0, kind)
    data = builder.build().dgram
    return data[: len(data) - 4 * len(types)]


def _bundles(messages: Iterable[bytes]) -> list[bytes]:
    """Pack the messages, in order, into bundles of at most MAX_BUNDLE bytes."""
    bundles = [_EMPTY_BUNDLE]
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if len(bundles[-1]) + len(element) > MAX_BUNDLE:
            bundles.append(_EMPTY_BUNDLE)
        bundles[-1] += element
    return bundles


_EMPTY_BUNDLE = OscBundleBuilder(IMMEDIATELY).build().dgram
