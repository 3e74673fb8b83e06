"""Export of an annotated bag: tables and keyframes."""

from __future__ import annotations

import csv
import importlib.util
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.spatial.transform import Rotation
from support.bag_files import CAMERA, RATE, START_NS, STRING, BagFile
from support.paths import ROOT

from face_expr_ros.bags import BagError
from face_expr_ros.bags.export import export, face_row
from face_expr_ros.bags.keyframes import Keyframes
from face_expr_ros.bags.messages import FACE_ARRAY, cdr, package_types
from face_expr_ros.cli import face_expr
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Pose, Readouts, Roi
from face_expr_ros.serialization.message_dicts import face_array_values, header_values

NAMES = ("jawOpen", "eyeBlinkLeft")
JAW = (0.0, 0.0, 0.5, 0.5, 0.5, 0.25)
YAW = 0.3  # radians
READ = Readouts(("AU26", "AU45L"), np.array([0.5, 0.25]), 0.5, -0.25, "surprised", True, 0.75, 0.5)


def face(face_id: str, jaw: float, names: tuple[str, ...] = NAMES) -> Face:
    pose = Pose(rotation_from_euler(YAW, 0.0, 0.0), np.array([0.1, -0.2, 0.7]), metric=True)
    blendshapes = Blendshapes(names, np.array([jaw, 0.125]))
    fit = FaceFit(pose, np.zeros(2), np.zeros(2), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
    return Face(face_id, 0.75, Roi(10, 20, 30, 40), None, fit, blendshapes, READ)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Six images with a face, one without, and one with two."""
    with BagFile(tmp_path / "faces") as file:
        shown = [[face("f1", jaw)] for jaw in JAW] + [[], [face("f1", 0.25), face("f2", 1.0)]]
        for number, faces in enumerate(shown):
            head = header_values(START_NS + number * 10**9 // RATE, "lens")
            file.write("/faces", FACE_ARRAY, number, cdr(FACE_ARRAY, face_array_values(faces, CAMERA, "open", head)))
    return tmp_path / "faces"


def check(row: dict[str, Any]) -> None:
    assert float(row["x_m"]) == pytest.approx(0.1)
    assert float(row["yaw_deg"]) == pytest.approx(np.degrees(YAW), abs=1e-4)
    assert (row["frame_id"], int(row["roi_x"]), int(row["roi_y"])) == ("lens", 10, 20)
    assert float(row["eyeBlinkLeft"]) == 0.125
    assert (float(row["looking_at_camera"]), float(row["speaking"])) == (0.75, 0.5)
    assert (row["label"], float(row["AU26"]), str(row["mouth_open"])) == ("surprised", 0.5, "True")


def test_table_has_one_row_per_face_and_image(bag: Path) -> None:
    result = export(bag, table=bag.with_suffix(".csv"))
    with bag.with_suffix(".csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (result["frames"], result["faces"], result["ids"]) == (8, 8, ["f1", "f2"])
    assert [row["face_id"] for row in rows] == ["f1"] * 7 + ["f2"]
    assert [float(row["jawOpen"]) for row in rows] == [*JAW, 0.25, 1.0]
    assert int(rows[1]["stamp_ns"]) == START_NS + 10**9 // RATE
    for row in rows:
        check(row)


def test_columns_are_documented() -> None:
    values = cdr(FACE_ARRAY, face_array_values([face("f1", 0.5)], CAMERA, "open", header_values(START_NS, "lens")))
    array: Any = package_types().deserialize_cdr(values, FACE_ARRAY)
    text = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")
    columns = [name for name in face_row(array.faces[0], array.header) if name not in (*NAMES, *READ.action_unit_names)]
    assert [name for name in columns if f"`{name}`" not in text] == []


def test_parquet_has_the_same_rows_with_types(bag: Path) -> None:
    try:
        from pyarrow import parquet
    except ImportError as error:
        pytest.skip(f"pyarrow cannot be imported: {error}")
    export(bag, parquet=bag.with_suffix(".parquet"))
    rows = parquet.read_table(str(bag.with_suffix(".parquet"))).to_pylist()
    assert [row["jawOpen"] for row in rows] == [*JAW, 0.25, 1.0]
    assert rows[0]["metric"] is True
    for row in rows:
        check(row)


def test_bag_without_faces_in_view_gives_empty_tables(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with BagFile(tmp_path / "a") as file:
        empty = face_array_values([], CAMERA, "open", header_values(START_NS, "lens"))
        file.write("/faces", FACE_ARRAY, 0, cdr(FACE_ARRAY, empty))
    result = export(tmp_path / "a", table=tmp_path / "a.csv", parquet=tmp_path / "a.parquet")
    assert (result["frames"], result["faces"]) == (1, 0)
    assert (tmp_path / "a.csv").read_text() == ""
    assert parquet.read_table(str(tmp_path / "a.parquet")).num_rows == 0


def test_keyframes_describe_constant_and_changing_values(bag: Path) -> None:
    export(bag, keys=bag.with_suffix(".json"))
    result = json.loads(bag.with_suffix(".json").read_text())
    track = result["faces"]["f1"]["morphs"]["jawOpen"]
    step = 30 / RATE  # frames of 1/30 s between two images
    assert track == [[0, 0.0], [step, 0.0], [2 * step, 0.5], [4 * step, 0.5], [5 * step, 0.25], [7 * step, 0.25]]
    assert result["faces"]["f1"]["morphs"].keys() == set(NAMES), "action units are derived from the morphs"
    bone = result["faces"]["f1"]["bones"]["head"][0]
    assert bone["position"] == pytest.approx([0.1, 0.2, -0.7])
    # Yaw > 0 turns the nose to image left, away from x: about y by a negative angle.
    assert Rotation.from_quat(bone["rotation"]).as_rotvec() == pytest.approx([0.0, -YAW, 0.0], abs=1e-5)
    assert result["faces"]["f2"]["bones"]["head"][0]["frame"] == 7 * step
    assert result["start_ns"] == START_NS


def test_without_faces_there_are_no_keyframes() -> None:
    assert Keyframes().result()["faces"] == {}


def test_bag_without_face_topics_is_refused_with_advice(tmp_path: Path) -> None:
    with BagFile(tmp_path / "a") as file:
        file.write("/chatter", STRING, 0, cdr(STRING, {"data": "hello"}))
    with pytest.raises(BagError, match="has no faces: run face_expr annotate on it first"):
        export(tmp_path / "a", table=tmp_path / "a.csv")


def test_faces_with_different_blendshapes_are_refused(tmp_path: Path) -> None:
    with BagFile(tmp_path / "a") as file:
        for number, names in enumerate((NAMES, ("jawOpen", "cheekPuff"))):
            values = face_array_values([face("f1", 0.0, names)], CAMERA, "open", header_values(0, "lens"))
            file.write("/faces", FACE_ARRAY, number, cdr(FACE_ARRAY, values))
    with pytest.raises(
        BagError,
        match="expected the same blendshapes for all faces, got faces with and without cheekPuff, eyeBlinkLeft",
    ):
        export(tmp_path / "a", table=tmp_path / "a.csv")


def test_interrupt_keeps_the_old_files(bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("a.csv", "a.parquet", "a.json")
    for name in names:
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(Keyframes, "result", lambda _: signal.raise_signal(signal.SIGINT))
    table, parquet, keys = (tmp_path / name for name in names)
    with pytest.raises(KeyboardInterrupt):
        export(bag, table=table, parquet=parquet if importlib.util.find_spec("pyarrow") else None, keys=keys)
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == dict.fromkeys(names, "old")


def test_command_requires_an_output(bag: Path) -> None:
    answer = CliRunner().invoke(face_expr, ["export", str(bag)])
    assert answer.exit_code == 2
    assert "give --csv, --parquet, --vmd-like, --live-link, --foxglove with a file" in answer.output
    arguments = ["export", str(bag), "--vmd-like", str(bag.with_suffix(".json"))]
    answer = CliRunner().invoke(face_expr, [*arguments, "--json", str(bag.with_suffix(".result"))])
    assert answer.exit_code == 0, answer.output
    result = json.loads(bag.with_suffix(".result").read_text())
    assert result.keys() >= {"messages_in", "frames", "faces", "seconds", "realtime_factor"}
