"""Many images and videos in one run: JSON lines, CSV, Parquet, drawn files, and continuing an interrupted run."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.timed_video import TIMES, write_timed_video

from face_expr_ros import cli
from face_expr_ros.cli import parallel_files, process_stills, process_videos
from face_expr_ros.core.worker_processes import WorkerError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def face_expr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the program in an empty folder: status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
        capfd.readouterr()
        return cli.main(), *capfd.readouterr()

    return run


@pytest.fixture
def images(face_expr: Run, portrait: NDArray[np.uint8]) -> Path:
    """A face, no face, a file that is not an image, and a text."""
    folder = Path("images")
    folder.mkdir()
    cv2.imwrite("images/b_face.png", portrait)
    cv2.imwrite("images/a_nothing.png", np.full((48, 64, 3), 90, np.uint8))
    Path("images/c_broken.jpg").write_text("not an image")
    Path("images/notes.txt").write_text("left out")
    return folder


@pytest.fixture
def clips(face_expr: Run, portrait: NDArray[np.uint8]) -> Path:
    """Two videos of one face with irregular times, and one that is damaged."""
    folder = Path("clips")
    folder.mkdir()
    small = cv2.resize(portrait, (320, 240))
    for name in ("a.webm", "b.mp4"):
        write_timed_video(folder / name, [small] * 4, TIMES[:4], sound=True)
    (folder / "c.mp4").write_bytes(b"\0\0\0\x18ftypmp42 damaged")
    return folder


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_every_image_of_a_folder_has_a_line(face_expr: Run, images: Path) -> None:
    status, out, _ = face_expr("image", "images", "--jsonl", "x.jsonl", "--csv", "x.csv", "--out", "drawn")
    assert (status, out) == (1, "images: 3, with a face: 1, unreadable: 1\n")
    nothing, face, broken = lines_of("x.jsonl")
    assert nothing == {"file": "a_nothing.png", "faces": []}
    assert (face["file"], len(face["faces"]), len(face["faces"][0]["blendshapes"])) == ("b_face.png", 1, 52)
    assert broken.keys() == {"file", "error"}
    assert "cannot be decoded" in broken["error"]
    (row,) = rows_of("x.csv")
    assert row["file"] == "b_face.png"
    assert float(row["jawOpen"]) == face["faces"][0]["blendshapes"]["jawOpen"]
    assert float(row["z_m"]) == face["faces"][0]["pose"]["position"][2]
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["a_nothing.png", "b_face.png"]
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["drawn", "images", "x.csv", "x.jsonl"]


def test_rows_of_parquet_are_those_of_csv(face_expr: Run, images: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert face_expr("image", "images/b_face.png", "--csv", "x.csv", "--parquet", "x.parquet")[0] == 0
    table = parquet.read_table("x.parquet")
    (row,) = rows_of("x.csv")
    assert table.column_names == list(row)
    assert table.column("yaw_deg").to_pylist() == [float(row["yaw_deg"])]


def test_equal_names_are_told_apart(face_expr: Run, images: Path) -> None:
    Path("more").mkdir()
    Path("images/b_face.png").rename("more/a_nothing.png")
    assert face_expr("image", "images/a_nothing.png", "more", "--jsonl", "x.jsonl")[0] == 0
    assert [line["file"] for line in lines_of("x.jsonl")] == ["images/a_nothing.png", "more/a_nothing.png"]
    status, _, error = face_expr("image", "images/a_nothing.png", "more", "--out", "drawn")
    assert status == 2
    assert "would both be drawn into 'drawn/a_nothing.png': rename one" in error


def test_videos_of_a_folder_keep_their_times(face_expr: Run, clips: Path) -> None:
    status, out, error = face_expr("video", "clips", "--jsonl", "x.jsonl", "--csv", "x.csv", "--out", "drawn")
    assert status == 1, error
    assert "unreadable: 1" in out
    lines = lines_of("x.jsonl")
    assert [line["file"] for line in lines] == ["a.webm"] * 4 + ["b.mp4"] * 4 + ["c.mp4"]
    assert [line["stamp"] for line in lines[:8]] == pytest.approx([*TIMES[:4]] * 2, abs=0.0011)
    assert "cannot be read as a video" in lines[8]["error"]
    rows = rows_of("x.csv")
    assert [float(row["stamp"]) for row in rows] == [line["stamp"] for line in lines[:8]]
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["a.webm", "b.mp4"]


def test_videos_of_a_batch_equal_single_runs(face_expr: Run, clips: Path) -> None:
    (clips / "c.mp4").unlink()
    assert face_expr("video", "clips", "--jsonl", "both.jsonl")[0] == 0
    assert face_expr("video", "clips/b.mp4", "--jsonl", "single.jsonl")[0] == 0
    assert lines_of("both.jsonl")[4:] == lines_of("single.jsonl")


@pytest.mark.parametrize(("verb", "folder"), [("image", "images"), ("video", "clips")])
def test_worker_processes_give_the_same_files(
    face_expr: Run, images: Path, clips: Path, verb: str, folder: str
) -> None:
    options = {name: ("--jsonl", f"{name}.jsonl", "--csv", f"{name}.csv", "--out", name) for name in ("one", "two")}
    status, out, _ = face_expr(verb, folder, *options["one"])
    assert (status, out) == (1, face_expr(verb, folder, *options["two"], "--jobs", "2")[1])
    for suffix in (".jsonl", ".csv"):
        assert Path(f"one{suffix}").read_bytes() == Path(f"two{suffix}").read_bytes()
    drawn = {name: sorted(file.name for file in Path(name).iterdir()) for name in options}
    assert drawn["one"] == drawn["two"]
    assert len(drawn["two"]) == 2
    assert not list(Path.cwd().glob("face_expr_lines_*"))


def test_run_of_worker_processes_continues(face_expr: Run, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(call: Any, tasks: Any, workers: int) -> Any:
        yield tasks[0], call(tasks[0])
        yield tasks[1], WorkerError("a worker process ended unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(parallel_files, "in_processes", dying)
        status, _, error = face_expr("image", "images", "--jsonl", "x.jsonl", "--jobs", "2")
    assert status == 2
    assert "face_expr: a worker process ended unexpectedly" in error
    assert face_expr("image", "images", "--jsonl", "whole.jsonl")[0] == 1
    status, _, error = face_expr("image", "images", "--jsonl", "x.jsonl", "--jobs", "2")
    assert "continuing an interrupted run: 1 of 3 files are complete" in error
    assert lines_of("x.jsonl") == lines_of("whole.jsonl")


CONTINUED = {
    "images": ("image", "images", process_stills.StillAnalysis, "__call__", 3),
    "videos": ("video", "clips", process_videos, "analyze_video", 3),
}


@pytest.mark.parametrize("case", CONTINUED)
def test_interrupted_run_continues(
    face_expr: Run, images: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    verb, folder, owner, name, count = CONTINUED[case]
    original, calls = getattr(owner, name), []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    expected = face_expr(verb, folder, "--jsonl", "whole.jsonl")[0]
    monkeypatch.setattr(owner, name, interrupted)
    status, _, error = face_expr(verb, folder, "--jsonl", "x.jsonl", "--csv", "x.csv")
    assert status == 130
    assert f"1 of {count} files are complete: run the same command again to continue" in error
    assert not Path("x.jsonl").exists()
    status, _, error = face_expr(verb, folder, "--jsonl", "x.jsonl", "--csv", "x.csv")
    assert status == expected
    assert f"continuing an interrupted run: 1 of {count} files are complete" in error
    assert len(calls) == 2 + count - 1
    assert lines_of("x.jsonl") == lines_of("whole.jsonl")
    assert not list(Path.cwd().glob("*.partial"))


def test_changed_settings_and_files_start_again(face_expr: Run, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = process_stills.StillAnalysis.__call__

    def interrupted(self: Any, source: Path, out: Path | None) -> dict[str, Any]:
        if source.name == "c_broken.jpg":
            raise KeyboardInterrupt
        return original(self, source, out)

    with monkeypatch.context() as patch:
        patch.setattr(process_stills.StillAnalysis, "__call__", interrupted)
        assert face_expr("image", "images", "--jsonl", "x.jsonl")[0] == 130
    cv2.imwrite("images/a_nothing.png", np.full((60, 80, 3), 20, np.uint8))
    _, _, error = face_expr("image", "images", "--jsonl", "x.jsonl")
    assert "1 of 3 files are complete" in error, "one image was replaced"
    with monkeypatch.context() as patch:
        patch.setattr(process_stills.StillAnalysis, "__call__", interrupted)
        assert face_expr("image", "images", "--jsonl", "x.jsonl")[0] == 130
    _, _, error = face_expr("image", "images", "--jsonl", "x.jsonl", "--max-faces", "1")
    assert "continuing" not in error


def test_maximum_of_faces_and_angle_of_view_apply(face_expr: Run, portrait: NDArray[np.uint8]) -> None:
    cv2.imwrite("two.png", np.hstack([portrait, portrait]))
    found = {}
    for options in ((), ("--max-faces", "1"), ("--field-of-view", "30")):
        assert face_expr("image", "two.png", "--json", "x.json", *options)[0] == 0
        found[options] = json.loads(Path("x.json").read_text())["faces"]
    assert [len(faces) for faces in found.values()] == [2, 1, 2]
    wide, narrow = found[()][0], found["--field-of-view", "30"][0]
    ratio = np.tan(np.radians(63 / 2)) / np.tan(np.radians(30 / 2))
    assert narrow["pose"]["position"][2] / wide["pose"]["position"][2] == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "HEIF"])
def test_images_of_pillow_are_read(face_expr: Run, portrait: NDArray[np.uint8], kind: str) -> None:
    pillow = pytest.importorskip("PIL.Image")
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    try:
        pillow.fromarray(portrait[:, :, ::-1]).save("face.bin", format=kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow cannot write {kind}")
    assert face_expr("image", "face.bin")[:2] == (0, "faces: 1\n")


def test_missing_pillow_is_named(face_expr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    monkeypatch.setattr("face_expr_ros.sources.image_files.find_spec", lambda name: None)
    status, _, error = face_expr("image", "photo.heic")
    assert status == 2
    assert "reading the HEIC image 'photo.heic' requires Pillow: pip install pillow pillow-heif" in error


@pytest.mark.parametrize("kind", ["mesh", "avatar"])
def test_side_by_side_is_twice_as_wide(face_expr: Run, clips: Path, portrait: NDArray[np.uint8], kind: str) -> None:
    assert face_expr("video", "clips/a.webm", "--out", "shared.mp4", "--side-by-side", kind)[0] == 0
    frame = cv2.VideoCapture("shared.mp4").read()[1]
    assert frame.shape == (240, 640, 3)
    original, view = frame[:, :320].astype(int), frame[:, 320:].astype(int)
    assert np.abs(original - cv2.resize(portrait, (320, 240))).mean() < 8
    assert view.std() > 5
    # The portrait is a rendering of the person that is the avatar.
    assert (np.abs(original - view).mean() < 8) == (kind == "avatar")
