"""Face takes as CSV files of Epic's app Live Link Face, which Unreal, Blender, Maya and MotionBuilder importers read.

The header, the order of its columns, the timecode and the units are those of files that the app has recorded: the
column names are ARKit's in Pascal case, `jawRight` and `mouthRight` stand before their left counterparts, angles are
radians, and 10 decimals are written.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values, gaze_angles
from face_expr_ros.core.atomic_files import atomic_text_file
from face_expr_ros.core.head_axes import head_rotation, right_handed_degrees
from face_expr_ros.core.types import Blendshapes, FloatArray

WriteFace = Callable[[int, Blendshapes, FloatArray], None]

ANGLE_NAMES = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch",
    "RightEyeRoll",
)  # fmt: skip
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
_SHAPE_NAMES = tuple(_SWAPPED.get(name, name) for name in ARKIT_NAMES)
_ORDER = [ARKIT_NAMES.index(name) for name in _SHAPE_NAMES]
COUNT = len(_SHAPE_NAMES) + len(ANGLE_NAMES)  # 61
COLUMNS = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in _SHAPE_NAMES), *ANGLE_NAMES)

DEFAULT_RATE = 60  # frames per second of the app's timecode, also for takes that are recorded at 30 images per second
_DAY_NS = 24 * 3600 * 10**9


def live_link_angles(values: FloatArray, rotation: FloatArray) -> FloatArray:
    """Angles (9,) in the order of ``ANGLE_NAMES``, radians, with the app's signs.

    Of the head, yaw is positive to the subject's left, pitch up and roll towards the right shoulder. Of the eyes, yaw
    is positive to the subject's *right* and pitch *down*, and roll is 0. In the app's recordings LeftEyePitch grows
    with eyeLookDownLeft and LeftEyeYaw with eyeLookInLeft.

    Args:
        values: (52,) blendshapes from `arkit_values`.
        rotation: (3, 3) of the head, from model axes to the camera frame.
    """
    down, turn, tilt = np.radians(right_handed_degrees(head_rotation(rotation)))
    left, right = gaze_angles(values)
    return np.array([turn, -down, tilt, -left[0], -left[1], 0.0, -right[0], -right[1], 0.0])


def timecode(stamp_ns: int, rate: int = DEFAULT_RATE) -> str:
    """``HH:MM:SS:FF.fff`` of a stamp: the time of day, frames of ``rate`` per second and thousandths of a frame.

    Args:
        stamp_ns: nanoseconds since midnight, or since 1970 in UTC.
        rate: frames per second, 1 to 1000.
    """
    thousandths = (stamp_ns % _DAY_NS) * rate * 1000 // 10**9
    frames, part = divmod(thousandths, 1000)
    seconds, frame = divmod(frames, rate)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frame:02}.{part:03}"


@contextmanager
def live_link_csv(path: Path, rate: int = DEFAULT_RATE) -> Iterator[WriteFace]:
    """A function that writes one face of one image as a row: stamp in nanoseconds, blendshapes, head rotation (3, 3).

    A take has one face. The rotation is from model axes to the camera frame. The file appears only when the context is
    left without an error, see `atomic_path`.

    Raises:
        ValueError, by the function: a blendshape of ARKit is missing, or a value is not finite.
        OSError: the file cannot be written.
    """
    with atomic_text_file(path, newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)

        def write(stamp_ns: int, blendshapes: Blendshapes, rotation: FloatArray) -> None:
            values = arkit_values(blendshapes)
            angles = live_link_angles(values, rotation)
            if not np.isfinite(angles).all():
                raise ValueError("expected a finite head rotation, got NaN or infinity")
            numbers = [f"{value + 0.0:.10f}" for value in (*values[_ORDER].tolist(), *angles.tolist())]
            rows.writerow([timecode(stamp_ns, rate), COUNT, *numbers])

        yield write
