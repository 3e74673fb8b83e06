"""Takes of one face as the CSV files of Epic's app Live Link Face, for Unreal, Blender and Maya importers.

The columns are Timecode, BlendShapeCount (61), the 52 ARKit blendshapes with a capital first letter, and yaw, pitch and
roll of the head, the left eye and the right eye in radians, with the signs of the network protocol (`live_link`). The
app writes the right one of JawLeft and JawRight, and of MouthLeft and MouthRight, first, unlike its network packets.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.atomic_files import atomic_text_file
from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.types import Blendshapes, FaceState, Pose
from face_expr_ros.retargeting.avatar_axes import NEUTRAL_FACE
from face_expr_ros.retargeting.avatar_config import LiveLinkConfig
from face_expr_ros.retargeting.live_link import COUNT, live_link_values

RATE = 60  # Hz, the app's
_RIGHT_FIRST = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
_SHAPES = tuple(_RIGHT_FIRST.get(name, name) for name in ARKIT_NAMES)
_ANGLES = tuple(f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll"))
COLUMNS = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in _SHAPES), *_ANGLES)
_ORDER = [ARKIT_NAMES.index(name) for name in _SHAPES] + list(range(len(ARKIT_NAMES), COUNT))
_FULL_ANGLE = LiveLinkConfig().full_angle  # degrees written as 1: radians
_DAY_NS = 24 * 3600 * 1_000_000_000

Row = Mapping[str, Any]  # column of `bags.export.face_row` -> value


@contextmanager
def live_link_table(path: Path, face_id: str | None = None, rate: int = RATE) -> Iterator[Callable[[Row], None]]:
    """A function that writes a row of `bags.export.face_row`; the file appears when the context ends without an error.

    Args:
        path: the CSV file.
        face_id: rows of other faces are left out; None expects only one face.
        rate: frames per second of the timecodes.

    Raises:
        ValueError: there is no such face, or there are several and none is selected; blendshapes are missing.
    """
    images: Counter[str] = Counter()
    with atomic_text_file(path, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)

        def write(row: Row) -> None:
            images[row["face_id"]] += 1
            if row["face_id"] == (face_id or next(iter(images))):
                values = np.array(live_link_values(_state(row), _FULL_ANGLE))[_ORDER]
                writer.writerow([timecode(row["stamp_ns"], rate), COUNT, *(f"{value:.8f}" for value in values)])

        yield write
        _check_faces(images, face_id)


def timecode(stamp_ns: int, rate: int) -> str:
    """A stamp as "hours:minutes:seconds:frame.thousandths" of its day (UTC).

    Args:
        stamp_ns: nanoseconds since 1970.
        rate: frames per second.
    """
    seconds, rest = divmod(stamp_ns % _DAY_NS, 1_000_000_000)
    frame, subframe = divmod(rest * rate, 1_000_000_000)
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours:02}:{minutes:02}:{seconds % 60:02}:{frame:02}.{subframe // 1_000_000:03}"


def _check_faces(images: Mapping[str, int], face_id: str | None) -> None:
    found = ", ".join(f"{name} ({count} images)" for name, count in images.items()) or "none"
    if face_id is None and len(images) > 1:
        raise ValueError(f"expected one face for a Live Link Face file, got {found}: select one with --face")
    if face_id is not None and face_id not in images:
        raise ValueError(f"expected the face {face_id!r}, got {found}")


def _state(row: Row) -> FaceState:
    rotation = Rotation.from_quat([row[name] for name in ("qx", "qy", "qz", "qw")]).as_matrix() @ FACE_FRAME.T
    pose = Pose(rotation, np.array([row[name] for name in ("x_m", "y_m", "z_m")]), row["metric"])
    shapes = {name: row[name] for name in ARKIT_NAMES if name in row}
    return replace(NEUTRAL_FACE, pose=pose, blendshapes=Blendshapes(tuple(shapes), np.array(list(shapes.values()))))
