"""The verbs image and video: drawing, export and smoothing, and errors in one sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.cli import main
from face_expr_ros.core.config import DRAW_MODES

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def face_expr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the program in an empty folder: status, stdout and its own lines of stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
        capfd.readouterr()
        status = main()
        out, err = capfd.readouterr()
        return status, out, "\n".join(line for line in err.splitlines() if line.startswith(("face_expr:", "Error:")))

    return run


def write_video(path: str, image: NDArray[np.uint8], frames: int) -> None:
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (image.shape[1], image.shape[0]))
    for shift in range(frames):
        writer.write(np.roll(image, shift, axis=1))
    writer.release()


@pytest.mark.parametrize("kind", DRAW_MODES)
def test_image_is_drawn_in_every_mode(face_expr: Run, portrait: NDArray[np.uint8], kind: str) -> None:
    cv2.imwrite("face.png", portrait)
    assert face_expr("image", "face.png", "--out", "drawn.png", "--draw", kind) == (0, "faces: 1\n", "")
    drawn = cv2.imread("drawn.png")
    if kind != "uv_tex":
        assert drawn.shape == portrait.shape
    assert drawn.std() > 5


def test_image_without_faces_is_copied(face_expr: Run) -> None:
    empty = np.full((60, 80, 3), 90, np.uint8)
    cv2.imwrite("empty.png", empty)
    assert face_expr("image", "empty.png", "--out", "drawn.png", "--draw", "3d", "--export", "obj")[0] == 0
    assert np.array_equal(cv2.imread("drawn.png"), empty)
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["drawn.png", "empty.png"]


@pytest.mark.parametrize(("kind", "ends"), [("obj", [".obj", ".mtl", "_texture.png"]), ("ply", [".ply"])])
def test_3d_files_are_exported_beside_the_image_and_listed(
    face_expr: Run, portrait: NDArray[np.uint8], kind: str, ends: list[str]
) -> None:
    cv2.imwrite("face.png", portrait)
    Path("out").mkdir()
    status, out, _ = face_expr("image", "face.png", "--out", "out/anna.png", "--export", kind, "--json", "face.json")
    files = [str(Path("out") / f"anna{end}") for end in ends]
    assert (status, out) == (0, "".join(["faces: 1\n", *(f"written: {file}\n" for file in files)]))
    assert json.loads(Path("face.json").read_text())["exported"] == files
    assert all(Path(file).stat().st_size > 60 for file in files)


@pytest.mark.parametrize("kind", ["3d", "uv_tex"])
def test_video_is_drawn_and_its_face_exported(face_expr: Run, portrait: NDArray[np.uint8], kind: str) -> None:
    write_video("clip.avi", portrait, 4)
    status, out, _ = face_expr("video", "clip.avi", "--out", "drawn.mp4", "--draw", kind, "--export", "ply")
    assert status == 0
    assert "exported: ['drawn.ply']" in out
    video = cv2.VideoCapture("drawn.mp4")
    frames = [video.read()[1] for _ in range(4)]
    video.release()
    assert all(frame.shape == portrait.shape and frame.std() > 5 for frame in frames)


def test_smoothing_methods_differ_in_delay(face_expr: Run, portrait: NDArray[np.uint8]) -> None:
    write_video("clip.avi", portrait, 8)
    positions = {}
    for method in ("none", "one_euro", "window"):
        assert face_expr("video", "clip.avi", "--jsonl", "faces.jsonl", "--smooth", method)[0] == 0
        lines = [json.loads(line) for line in Path("faces.jsonl").read_text().splitlines()]
        positions[method] = [line["faces"][0]["landmarks68"][30][0] for line in lines]
    end = {method: values[-1] for method, values in positions.items()}
    assert end["one_euro"] < end["window"] < end["none"], "the face moves right by one pixel per frame"
    assert end["none"] - end["window"] < 2, "pixels; the delay is a third of 0.15 s, one frame"


BAD_REQUESTS = {
    "unknown kind": (["image", "good.png", "--out", "x.png", "--draw", "4d"], "'4d' is not one of 'annotated'"),
    "unknown format": (["image", "good.png", "--out", "x.png", "--export", "stl"], "'stl' is not one of 'obj', 'ply'"),
    "unknown filter": (["video", "good.avi", "--smooth", "kalman"], "'kalman' is not one of 'none', 'one_euro'"),
    "kind without out": (["image", "good.png", "--draw", "depth"], "depth requires --out"),
    "export without out": (["image", "good.png", "--export", "ply"], "ply requires --out"),
    "video export without out": (["video", "good.avi", "--export", "obj"], "obj requires --out"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_unsupported_request_is_refused_in_one_sentence(face_expr: Run, case: str) -> None:
    image = np.full((48, 64, 3), 90, np.uint8)
    cv2.imwrite("good.png", image)
    write_video("good.avi", image, 2)
    arguments, words = BAD_REQUESTS[case]
    status, _, error = face_expr(*arguments)
    assert status == 2
    assert words in error
    assert "\n" not in error
    assert not Path("x.png").exists()
