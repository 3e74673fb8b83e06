"""Faces as JSON keyframes of a bone and of morphs, with the structure of MikuMikuDance's VMD files.

VMD measures time in frames of 1/30 s, names bones and morphs, and interpolates between the keys of each: a constant
value needs a key at its start and one at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from face_expr_ros.core.geometry import FACE_FRAME, FACING_CAMERA
from face_expr_ros.core.rotations import canonical_quaternion, rotation_from_quaternion
from face_expr_ros.core.types import FloatArray

FRAME_RATE = 30.0  # frames per second of VMD
BONE = "head"
_DIGITS = 5
# Prefixes of columns that are not morphs: action units and descriptors, which are derived from the morphs.
_NOT_MORPHS = ("AU", "AD")

Key = tuple[float, float]  # frame, weight


@dataclass
class _Track:
    """The keys of one morph; ``held`` is the latest key, not stored yet, that repeats the value before."""

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
class _FaceTracks:
    bone: list[dict[str, Any]] = field(default_factory=list)
    morphs: dict[str, _Track] = field(default_factory=dict)


class Keyframes:
    """Collects rows of `export.face_row`; frame 0 is the image of the first face."""

    def __init__(self) -> None:
        self._start_ns: int | None = None
        self._faces: dict[str, _FaceTracks] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Add one face of one image. A recording whose time jumps back adds frames again."""
        if self._start_ns is None:
            self._start_ns = row["stamp_ns"]
        frame = round((row["stamp_ns"] - self._start_ns) * 1e-9 * FRAME_RATE, 3)
        tracks = self._faces.setdefault(row["face_id"], _FaceTracks())
        position, rotation = head_motion(row)
        tracks.bone.append({"frame": frame, "position": position, "rotation": rotation})
        names = list(row)[list(row).index("mouth_open") + 1 :]
        for name in names:
            if not name.startswith(_NOT_MORPHS):
                tracks.morphs.setdefault(name, _Track()).add(frame, round(row[name], _DIGITS))

    def result(self) -> dict[str, Any]:
        """The content of the JSON file."""
        faces = {
            face_id: {
                "bones": {BONE: tracks.bone},
                "morphs": {name: track.all() for name, track in tracks.morphs.items()},
            }
            for face_id, tracks in self._faces.items()
        }
        return {
            "format": "face_expr keyframes",
            "version": 1,
            "frame_rate": FRAME_RATE,
            "start_ns": self._start_ns or 0,
            "axes": "x to the image's right, y up, z from the scene to the camera; right-handed; meters",
            "rotation": "quaternion x, y, z, w; identity for a face that looks in the direction of the camera",
            "faces": faces,
        }


def head_motion(row: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Position (3,) in meters and rotation (4,) as x, y, z, w of a row, in the axes that ``result`` names."""
    quaternion = np.array([row["qx"], row["qy"], row["qz"], row["qw"]])
    rotation_face = rotation_from_quaternion(quaternion) @ FACE_FRAME.T
    rotation = canonical_quaternion(FACING_CAMERA @ rotation_face)
    position: FloatArray = FACING_CAMERA @ np.array([row["x_m"], row["y_m"], row["z_m"]])
    return np.round(position, 6).tolist(), np.round(rotation, 7).tolist()
