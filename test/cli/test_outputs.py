"""Outputs of the verbs: the input is never overwritten, and a failed run leaves no file and keeps the old ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros import cli
from face_expr_ros.cli.outputs import check_outputs

PATIENCE = 60.0  # seconds that a loaded machine may take for anything
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def face_expr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the program in an empty folder: status and its own lines of stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
        capfd.readouterr()
        status = cli.main()
        err = capfd.readouterr().err
        return status, "\n".join(line for line in err.splitlines() if line.startswith(("face_expr:", "Error:")))

    return run


def write_video(path: Path, image: NDArray[np.uint8], frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (image.shape[1], image.shape[0]))
    for _ in range(frames):
        writer.write(image)
    writer.release()
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


GRAY = np.full((48, 64, 3), 90, np.uint8)
OVERWRITING = {
    "image --out": ("image", "a.png", "--out", "a.png"),
    "image --json": ("image", "a.png", "--json", "a.png"),
    "image --out through a folder": ("image", "a.png", "--out", "folder/../a.png"),
    "image --out through a symbolic link": ("image", "a.png", "--out", "soft.png"),
    "image --json through a hard link": ("image", "a.png", "--json", "hard.png"),
    "image through a symbolic link": ("image", "soft.png", "--out", "a.png"),
    "texture of --export": ("image", "anna_texture.png", "--out", "anna.png", "--export", "obj"),
    "texture of one of several faces": ("image", "anna_f2_texture.png", "--out", "anna.png", "--export", "obj"),
    "texture through a hard link": ("image", "a.png", "--out", "hard_link.png", "--export", "obj"),
    "video --out": ("video", "a.avi", "--out", "a.avi"),
    "video --jsonl": ("video", "a.avi", "--jsonl", "a.avi"),
    "video --jsonl through a link": ("video", "a.avi", "--jsonl", "soft.avi"),
    "take --out": ("take", "a.avi", "--out", "folder/../talk/a.csv", "--portrait", "talk/a.csv"),
    "bench --json": ("bench", "--peers", "--task", "a.png", "--json", "a.png"),
    "annotate OUT": ("annotate", "talk", "talk"),
    "annotate --json": ("annotate", "talk", "new", "--json", "talk/talk_0.mcap"),
    "annotate --json in place of the parameters": ("annotate", "talk", "new", "--params", "p.yaml", "--json", "p.yaml"),
    "annotate a folder --json": ("annotate", ".", "new", "--json", "talk/metadata.yaml"),
    "export --csv": ("export", "talk", "--csv", "talk/talk_0.mcap"),
    "export --parquet": ("export", "talk/talk_0.mcap", "--parquet", "talk/talk_0.mcap"),
    "export --vmd-like": ("export", "talk", "--vmd-like", "talk/metadata.yaml"),
    "export --json": ("export", "talk", "--csv", "new.csv", "--json", "talk/talk_0.mcap"),
    "replay --json": ("replay", "talk", "--json", "talk/talk_0.mcap"),
    "demo --out": ("demo", "--source", "a.avi", "--headless", "--out", "a.avi"),
    "demo --json": ("demo", "--source", "folder", "--headless", "--json", "folder/b.png"),
    "evaluate synthetic --json": ("evaluate", "synthetic", "--task", "a.png", "--json", "a.png"),
    "evaluate portraits --json": ("evaluate", "portraits", "--images", ".", "--labels", "p.yaml", "--json", "p.yaml"),
    "evaluate aflw2000 --json": ("evaluate", "aflw2000", "--data", "folder", "--json", "folder/b.png"),
    "evaluate expression --report": ("evaluate", "expression", "--task", "a.png", "--report", "a.png"),
    "evaluate expression --table": ("evaluate", "expression", "--videos", "folder", "--table", "folder/b.png"),
    "evaluate fit-ridge OUT": ("evaluate", "fit-ridge", "folder", "folder/b.png"),
    "synthesize --json": ("synthesize", "new", "--for", "tddfa", "--portraits", "folder", "--json", "folder/b.png"),
    "train tddfa --json": ("train", "tddfa", "new", "--config", "p.yaml", "--json", "p.yaml"),
    "train fusion --json": ("train", "fusion", "folder", "--json", "folder/b.png"),
    "train expression --json": ("train", "expression", "--config", "p.yaml", "--json", "p.yaml"),
}  # fmt: skip
SAME_TWICE = {
    "image": ("image", "a.png", "--out", "new.png", "--json", "folder/../new.png"),
    "video": ("video", "a.avi", "--out", "new.mp4", "--jsonl", "new.mp4"),
    "export": ("export", "talk", "--csv", "new", "--parquet", "new"),
    "3D file": ("image", "a.png", "--out", "new.png", "--export", "ply", "--json", "new.ply"),
}


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, bytes]:
    """Files that the verbs accept as input, with links to them."""
    for name in ("a.png", "anna_texture.png", "anna_f2_texture.png"):
        cv2.imwrite(str(tmp_path / name), GRAY)
    write_video(tmp_path / "a.avi", GRAY, 2)
    for folder in ("folder", "talk"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "folder/b.png"), GRAY)
    for name in ("talk/talk_0.mcap", "talk/metadata.yaml", "talk/a.csv", "p.yaml"):
        (tmp_path / name).write_text("input")
    for name in ("hard.png", "hard_link_f1_texture.png"):
        os.link(tmp_path / "a.png", tmp_path / name)
    for name in ("soft.png", "soft.avi"):
        (tmp_path / name).symlink_to(name.replace("soft", "a"))
    return files(tmp_path)


@pytest.mark.parametrize("case", OVERWRITING)
def test_output_that_is_an_input_is_refused(
    face_expr: Run, inputs: dict[str, bytes], tmp_path: Path, case: str
) -> None:
    status, error = face_expr(*OVERWRITING[case])
    assert status == 2
    assert "would overwrite" in error
    assert error.count("\n") == 0
    assert files(tmp_path) == inputs


@pytest.mark.parametrize("case", SAME_TWICE)
def test_two_outputs_of_one_name_are_refused(
    face_expr: Run, inputs: dict[str, bytes], tmp_path: Path, case: str
) -> None:
    status, error = face_expr(*SAME_TWICE[case])
    assert status == 2
    assert "are the same file" in error or "would overwrite" in error
    assert files(tmp_path) == inputs


def test_results_of_an_earlier_run_may_be_replaced(tmp_path: Path) -> None:
    for name in ("in/result.json", "out.png", "out.obj"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    check_outputs([tmp_path / "in"], {"--json": tmp_path / "in/result.json"})
    check_outputs([tmp_path / "a.png"], {"--out": tmp_path / "out.png", "--json": None}, "obj")


def leaves(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for part in command.commands.values():
            yield from leaves(part)
    else:
        yield command


def test_every_verb_with_input_and_output_files_is_covered() -> None:
    """A parameter of type `click.Path` is an input where the path must exist."""
    covered = {
        arguments[1] if arguments[0] in ("evaluate", "train") else arguments[0] for arguments in OVERWRITING.values()
    }
    for verb in leaves(cli.face_expr):
        exists = {param.type.exists for param in verb.params if isinstance(param.type, click.Path)}
        assert exists != {True, False} or verb.name in covered, f"{verb.name} has input and output files"


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def fail(*_: Any, **__: Any) -> None:
    raise ValueError("the disk is full")


# Arguments, the function that is interrupted or fails, and the outputs.
FAILING = {
    "image --out": (("image", "a.png", "--out", "b.png"), "cli.process_stills.cv2.imwrite", ["b.png"]),
    "image --export": (
        ("image", "a.png", "--out", "b.png", "--export", "ply"), "drawing.mesh_export.write_ply", ["b.ply"]
    ),
    "image --json": (("image", "a.png", "--json", "b.json"), "core.atomic_files.os.replace", ["b.json"]),
    "video": (
        ("video", "a.avi", "--out", "b.mp4", "--jsonl", "b.jsonl"),
        "cli.process_videos.face_record", ["b.mp4", "b.jsonl"],
    ),
    "video --export": (
        ("video", "a.avi", "--out", "b.mp4", "--jsonl", "b.jsonl", "--export", "ply"),
        "drawing.mesh_export.write_bytes", ["b.mp4", "b.jsonl", "b.ply"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("old", [False, True], ids=["no old files", "old files"])
@pytest.mark.parametrize(("error", "status"), [(interrupt, 130), (fail, 2)])
@pytest.mark.parametrize("case", FAILING)
def test_failed_run_keeps_the_old_outputs(
    face_expr: Run, portrait: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str,
    error: Callable[..., None], status: int, old: bool,
) -> None:  # fmt: skip
    arguments, function, outputs = FAILING[case]
    cv2.imwrite("a.png", portrait)
    write_video(tmp_path / "a.avi", portrait, 2)
    if old:
        for name in outputs:
            (tmp_path / name).write_text("old")
    before = files(tmp_path)
    monkeypatch.setattr(f"face_expr_ros.{function}", error)
    assert face_expr(*arguments)[0] == status
    after = files(tmp_path)
    assert {name: after.get(name) for name in outputs} == {name: before.get(name) for name in outputs}
    assert not [name for name in after if name.startswith(".")]


COMMAND = "import sys; from face_expr_ros.cli import main; sys.exit(main())"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_no_unfinished_file(portrait: NDArray[np.uint8], tmp_path: Path, number: int) -> None:
    write_video(tmp_path / "a.avi", portrait, 600)
    (tmp_path / "b.mp4").write_text("old")
    command = [sys.executable, "-c", COMMAND, "video", "a.avi", "--out", "b.mp4", "--jsonl", "b.jsonl"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while not any(path.stat().st_size > 10_000 for path in tmp_path.glob("b.jsonl.partial")):
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for the first lines"
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "b.mp4"]
    assert (tmp_path / "b.mp4").read_text() == "old"


@pytest.mark.slow
def test_video_on_a_full_disk_is_refused(portrait: NDArray[np.uint8], tmp_path: Path) -> None:
    """A limit of the file size acts as a full disk."""
    write_video(tmp_path / "a.avi", portrait, 10)
    (tmp_path / "b.mp4").write_text("old")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000)); "
    command = [sys.executable, "-c", limit + COMMAND, "video", "a.avi", "--out", "b.mp4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "'b.mp4' could not be written completely: check the free space of the disk" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "b.mp4"]
    assert (tmp_path / "b.mp4").read_text() == "old"


def test_video_outputs_of_a_wrong_neutral_time_are_not_written(face_expr: Run, tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", GRAY, 2)
    assert face_expr("video", "a.avi", "--jsonl", "b.jsonl", "--neutral-at", "9")[0] == 2
    assert list(files(tmp_path)) == ["a.avi"]
