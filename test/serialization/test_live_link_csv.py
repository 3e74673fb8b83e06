"""Files of the app Live Link Face against its recordings: header, timecode, units and signs."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.avatar_faces import TURNS, every_shape, make_state

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.serialization.live_link_csv import COLUMNS, live_link_csv, timecode

# The header of a file that the app has recorded, which importers find their columns by.
HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def written(path: Path, *states: FaceState) -> list[dict[str, str]]:
    with live_link_csv(path) as write:
        for state in states:
            write(state.stamp_ns, state.blendshapes, state.pose.rotation)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_header_is_the_app_s(tmp_path: Path) -> None:
    written(tmp_path / "take.csv", make_state())
    assert (tmp_path / "take.csv").read_text().splitlines()[0] == HEADER
    assert ",".join(COLUMNS) == HEADER


def test_every_blendshape_is_in_the_column_of_its_name(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "take.csv", make_state(**every_shape()))
    assert row["BlendShapeCount"] == "61"
    found = {name: float(row[name[0].upper() + name[1:]]) for name in ARKIT_NAMES}
    assert found == pytest.approx(every_shape(), abs=1e-9)


@pytest.mark.parametrize(
    ("turn", "column", "angle"),
    [("left", "HeadYaw", 30), ("up", "HeadPitch", 30), ("tilt to the right", "HeadRoll", 30)],
)
def test_head_angles_are_radians(tmp_path: Path, turn: str, column: str, angle: float) -> None:
    (row,) = written(tmp_path / "take.csv", make_state(*TURNS[turn]))
    angles = {name: float(row[name]) for name in ("HeadYaw", "HeadPitch", "HeadRoll")}
    assert angles == pytest.approx(dict.fromkeys(angles, 0.0) | {column: np.radians(angle)}, abs=1e-9)


def test_eye_angles_have_the_signs_of_the_app_s_recordings(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "take.csv", make_state(eyeLookInLeft=0.5, eyeLookOutRight=0.5, eyeLookDownLeft=0.25))
    assert float(row["LeftEyeYaw"]) == pytest.approx(np.radians(14))
    assert float(row["RightEyeYaw"]) == pytest.approx(np.radians(14))
    assert float(row["LeftEyePitch"]) == pytest.approx(np.radians(7))
    assert "-0.0000000000" not in row.values()


@pytest.mark.parametrize(
    ("seconds", "rate", "text"),
    [
        (0.0, 60, "00:00:00:00.000"),
        (12 * 3600 + 27 * 60 + 47 + 47.169 / 60, 60, "12:27:47:47.169"),
        (1.5, 24, "00:00:01:12.000"),
        (3 * 86400 + 59.99, 60, "00:00:59:59.400"),
    ],
)
def test_timecode_counts_frames_of_the_day(seconds: float, rate: int, text: str) -> None:
    assert timecode(round(seconds * 1e9) + 1, rate) == text


def test_a_face_without_arkit_names_leaves_no_file(tmp_path: Path) -> None:
    state = replace(make_state(), blendshapes=Blendshapes(("jawOpen",), np.zeros(1)))
    with pytest.raises(ValueError, match="expected the 52 ARKit blendshapes"):
        written(tmp_path / "take.csv", state)
    assert not list(tmp_path.iterdir())
