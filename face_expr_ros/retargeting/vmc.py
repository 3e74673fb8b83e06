"""VMC protocol: OSC bundles over UDP for VRM avatars (VSeeFace, EVMC4U, VRM4U, Godot, Blender, Warudo).

Format: protocol.vmc.info, "Marionette". Axes: Unity's, left-handed; x to the avatar's right, y up, z forward.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from face_expr_ros.core.arkit import arkit_values, gaze_angles
from face_expr_ros.core.head_axes import head_rotation
from face_expr_ros.core.rotations import fraction_of
from face_expr_ros.core.types import FaceState, FloatArray
from face_expr_ros.perception.gaze import eye_rotation
from face_expr_ros.retargeting.avatar_axes import unity_quaternion
from face_expr_ros.retargeting.avatar_config import VmcConfig
from face_expr_ros.retargeting.vmc_names import named_values

MAX_BUNDLE = 1400  # bytes; fits into one Ethernet frame, which avoids fragmentation


# Positions of the bones relative to their parent, meters, in Unity's axes of an avatar: those of an adult at rest, for
# receivers that add them up along the chain. Neck and head are always sent, the torso with `VmcConfig.torso`.
_REST = {
    "Hips": (0.0, 0.92, 0.0),
    "Spine": (0.0, 0.09, 0.0),
    "Chest": (0.0, 0.13, 0.0),
    "UpperChest": (0.0, 0.12, 0.0),
    "Neck": (0.0, 0.14, 0.0),
    "Head": (0.0, 0.09, 0.0),
    "LeftEye": (-0.032, 0.06, 0.08),
    "RightEye": (0.032, 0.06, 0.08),
}
_TORSO = ("Hips", "Spine", "Chest", "UpperChest")
CALIBRATED, NORMAL_MODE = 3, 0  # state and mode of /VMC/Ext/OK: a receiver may hide an avatar that is not calibrated


def encode(state: FaceState, *, seconds: float, tracked: bool, config: VmcConfig) -> list[bytes]:
    """Encode one frame as datagrams, in sending order.

    Args:
        state: the face.
        seconds: time since the sender started.
        tracked: a face is tracked; False while the avatar returns to neutral and afterwards. It is the fourth value of
            /VMC/Ext/OK; the first says that bones are sent, which they always are.
        config: settings of the target.

    Raises:
        ValueError: the face has no ARKit blendshapes.
    """
    values = arkit_values(state.blendshapes)
    messages = [
        _message("/VMC/Ext/OK", 1, CALIBRATED, NORMAL_MODE, int(tracked)),
        _message("/VMC/Ext/T", float(seconds)),
        _message("/VMC/Ext/Root/Pos", "root", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    ]
    for bone, rotation in _bones(state, values, config).items():
        messages.append(_message("/VMC/Ext/Bone/Pos", bone, *_REST[bone], *unity_quaternion(rotation)))
    for name, value in named_values(values, config.names, look=not config.eye_bones).items():
        messages.append(_message("/VMC/Ext/Blend/Val", name, value))
    return _bundles([*messages, _message("/VMC/Ext/Blend/Apply")])


def _bones(state: FaceState, values: FloatArray, config: VmcConfig) -> dict[str, FloatArray]:
    """Rotations (3, 3) in model axes, relative to the parent bone; neck and head share the head rotation."""
    head = head_rotation(state.pose.rotation)
    neck = fraction_of(head, config.neck_share)
    bones: dict[str, FloatArray] = dict.fromkeys(_TORSO, np.eye(3)) if config.torso else {}
    bones |= {"Neck": neck, "Head": neck.T @ head}
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
