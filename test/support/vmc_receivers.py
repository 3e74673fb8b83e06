"""How published receivers of the VMC protocol read it, written from their sources' descriptions; docs/avatars.md names
them. Each is a small model of what it does with names, positions and availability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from support.avatar_receivers import osc_messages

# The protocol's table of names; a receiver of one version accepts those of the other.
VRM1_OF_VRM0 = {
    "Joy": "happy", "Angry": "angry", "Sorrow": "sad", "Fun": "relaxed", "A": "aa", "I": "ih", "U": "ou", "E": "ee",
    "O": "oh", "Blink_L": "blinkLeft", "Blink_R": "blinkRight",
}  # fmt: skip
_PARENTS = {
    "Spine": "Hips", "Chest": "Spine", "UpperChest": "Chest", "Neck": "UpperChest", "Head": "Neck", "LeftEye": "Head",
    "RightEye": "Head",
}  # fmt: skip


class GodotTracker:
    """Godot's XR VMC tracker: exact names in Pascal case; positions and rotations are added up from the hips."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)
        self.blends: dict[str, float] = {}
        self._local: dict[str, tuple[NDArray[np.float64], Rotation]] = {}

    def receive(self, datagram: bytes) -> None:
        for address, values in osc_messages(datagram):
            if address == "/VMC/Ext/Blend/Val" and values[0] in self._names:
                self.blends[values[0]] = values[1]
            elif address == "/VMC/Ext/Bone/Pos":
                name, x, y, z, qx, qy, qz, qw = values
                self._local[name] = np.array([x, y, -z]), Rotation.from_quat([qx, qy, -qz, -qw])

    def joint(self, name: str) -> tuple[NDArray[np.float64], Rotation]:
        """Position and rotation of a joint in the tracking space: x right, y up, z back, right-handed."""
        position, rotation = self._local.get(name, (np.zeros(3), Rotation.identity()))
        if name not in _PARENTS:
            return position, rotation
        parent, turn = self.joint(_PARENTS[name])
        return parent + turn.apply(position), turn * rotation


class UniVrmReceiver:
    """EVMC4U: names without regard to case, VRM 0 and VRM 1 names converted; bones as local positions if enabled."""

    def __init__(self, clips: Sequence[str], hide_uncalibrated: bool = True) -> None:
        self._clips = {clip.lower(): clip for clip in clips}
        pairs = [(zero.lower(), one.lower()) for zero, one in VRM1_OF_VRM0.items()]
        self._other = dict(pairs) | {one: zero for zero, one in pairs}
        self._hide = hide_uncalibrated
        self._waiting: dict[str, float] = {}
        self.shown: dict[str, float] = {}
        self.available = self.visible = False
        self.bones: dict[str, tuple[float, ...]] = {}

    def receive(self, datagram: bytes) -> None:
        for address, values in osc_messages(datagram):
            if address == "/VMC/Ext/OK":
                self.available = values[0] == 1
                self.visible = not (self._hide and len(values) >= 3 and values[1] != 3)
            elif address == "/VMC/Ext/Blend/Val":
                key = values[0].lower()
                clip = self._clips.get(key) or self._clips.get(self._other.get(key, ""))
                if clip is not None:
                    self._waiting[clip] = values[1]
            elif address == "/VMC/Ext/Blend/Apply":
                self.shown = dict(self._waiting)
            elif address == "/VMC/Ext/Bone/Pos":
                self.bones[values[0]] = tuple(values[1:])


class PerfectSyncSwitch:
    """VMagicMirror: counts a sender as perfect sync after 26 ARKit names, whose first letter may have either case."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)
        self.received: set[str] = set()

    def receive(self, datagram: bytes) -> None:
        for address, values in osc_messages(datagram):
            if address == "/VMC/Ext/Blend/Val":
                name = values[0][0].lower() + values[0][1:]
                self.received |= {name} & self._names

    @property
    def is_perfect_sync(self) -> bool:
        return len(self.received) >= 26
