"""Faces as keyframes of a bone and of morphs, as MikuMimicDance's VMD files have them, in JSON.

VMD counts time in frames of 1/30 s, names bones and morphs, and interpolates between the keys of each: a value that
stays needs a key at its beginning and one at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from face_expr_ros.core.geometry import FACE_FRAME, FACING_CAMERA
from face_expr_ros.core.types import FloatArray

FRAME_RATE = 30.0  # VMD's
BONE = "head"
_DIGITS = 5
# Columns of a row that are no morphs; action units (AU.., AD..) are read from the morphs and not needed.
_OTHER = ("AU", "AD")

Key = tuple[float, float]  # frame, weight


@dataclass
class _Track:
    """The keys of one morph; ``held`` is the last one that repeats the one before it and is not written yet."""

    keys: list[Key] = field(default_factory=list)
    held: Key | None = None

    def add(self, frame: float, weight: float) -> None:
        if self.keys and self.keys[-1][1] == weight:
            self.held = (frame, weight)
            return
        if self.held is not None:
            self.keys.append(self.held)
        self.keys.append((frame, weight))
        self.held = None

    def all(self) -> list[Key]:
        return self.keys if self.held is None else [*self.keys, self.held]


@dataclass
class _Person:
    bone: list[dict[str, Any]] = field(default_factory=list)
    morphs: dict[str, _Track] = field(default_factory=dict)


class Keyframes:
    """Collects rows of `export.face_row`; frame 0 is the first face's image."""

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._people: dict[str, _Person] = {}

    def add(self, row: dict[str, Any]) -> None:
        """One face of one image. A recording that loops goes on at frames it had before."""
        if self._start_ns is None:
            self._start_ns = row["stamp_ns"]
        frame = round((row["stamp_ns"] - self._start_ns) * 1e-9 * FRAME_RATE, 3)
        person = self._people.setdefault(row["face_id"], _Person())
        position, rotation = head_motion(row)
        person.bone.append({"frame": frame, "position": position, "rotation": rotation})
        names = list(row)[list(row).index("mouth_open") + 1 :]
        for name in names:
            if not name.startswith(_OTHER):
                person.morphs.setdefault(name, _Track()).add(frame, round(row[name], _DIGITS))

    def result(self) -> dict[str, Any]:
        """What is written as JSON."""
        faces = {
            face_id: {
                "bones": {BONE: person.bone},
                "morphs": {name: track.all() for name, track in person.morphs.items()},
            }
            for face_id, person in self._people.items()
        }
        return {
            "format": "face_expr keyframes",
            "version": 1,
            "frame_rate": FRAME_RATE,
            "start_ns": self._start_ns or 0,
            "axes": "x to the image's right, y up, z from the scene to the camera; right-handed; meters",
            "rotation": "quaternion x, y, z, w; none for a face that looks into the camera's direction",
            "faces": faces,
        }


def head_motion(row: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Position (3,) in meters and rotation (4,) as x, y, z, w of a row, in the axes that ``result`` names."""
    turn = Rotation.from_quat([row["qx"], row["qy"], row["qz"], row["qw"]]).as_matrix() @ FACE_FRAME.T
    rotation = Rotation.from_matrix(FACING_CAMERA @ turn).as_quat()
    position: FloatArray = FACING_CAMERA @ np.array([row["x_m"], row["y_m"], row["z_m"]])
    sign = -1.0 if rotation[3] < 0 else 1.0
    return np.round(position, 6).tolist(), np.round(sign * rotation, 7).tolist()
