"""Takes of Live Link Face from the rows of a bag: head angles and the selection of one face."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from support.avatar_faces import TURNS, make_state

from face_expr_ros.bags.live_link_take import live_link_take
from face_expr_ros.core.geometry import face_frame_quaternion
from face_expr_ros.core.types import FaceState


def row_of(state: FaceState, face_id: str = "f1", stamp_ns: int = 0) -> dict[str, Any]:
    """The row of `bags.export.face_row` for a face."""
    quaternion = dict(zip(("qx", "qy", "qz", "qw"), face_frame_quaternion(state.pose.rotation), strict=True))
    position = dict(zip(("x_m", "y_m", "z_m"), state.pose.position, strict=True))
    shapes = dict(zip(state.blendshapes.names, state.blendshapes.values.tolist(), strict=True))
    return {"face_id": face_id, "stamp_ns": stamp_ns, "metric": True, "AU26": 0.5, **quaternion, **position, **shapes}


def written(path: Path, *rows: dict[str, Any], **settings: Any) -> list[dict[str, str]]:
    with live_link_take(path, **settings) as write:
        for row in rows:
            write(row)
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("turn", "name"), [("left", "HeadYaw"), ("up", "HeadPitch"), ("tilt to the right", "HeadRoll")]
)
def test_head_is_in_radians_with_the_signs_of_the_protocol(tmp_path: Path, turn: str, name: str) -> None:
    (row,) = written(tmp_path / "a.csv", row_of(make_state(*TURNS[turn])))
    angles = {axis: float(value) for axis, value in row.items() if axis.startswith("Head")}
    assert angles == pytest.approx(dict.fromkeys(angles, 0.0) | {name: math.pi / 6}, abs=1e-5)


def test_one_of_several_faces_must_be_selected(tmp_path: Path) -> None:
    state, path = make_state(), tmp_path / "a.csv"
    rows = [row_of(state, "f1"), row_of(state, "f2", 10**9), row_of(state, "f2", 2 * 10**9)]
    with pytest.raises(ValueError, match=r"got f1 \(1 images\), f2 \(2 images\): select one with --face"):
        written(path, *rows)
    assert not path.exists()
    assert [row["Timecode"] for row in written(path, *rows, face_id="f2")] == ["00:00:01:00.000", "00:00:02:00.000"]
    with pytest.raises(ValueError, match="expected the face 'f7', got f1"):
        written(path, *rows, face_id="f7")


def test_face_without_arkit_blendshapes_is_refused(tmp_path: Path) -> None:
    row = row_of(make_state())
    del row["jawOpen"]
    with pytest.raises(ValueError, match="missing: jawOpen"):
        written(tmp_path / "a.csv", row)
