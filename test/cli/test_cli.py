"""The verbs image and video: results, and one sentence with exit status 2 for wrong usage or input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.cli import main
from face_expr_ros.core.native_output import SHOW
from face_expr_ros.models import bundle


@dataclass(frozen=True)
class Done:
    """Exit status and output of a verb."""

    status: int
    out: str
    err: str


FaceExpr = Callable[..., Done]


@pytest.fixture
def face_expr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> FaceExpr:
    """Runs the program in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
        capfd.readouterr()
        return Done(main(), *capfd.readouterr())

    return run


def write_video(path: Path, image: NDArray[np.uint8], frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (image.shape[1], image.shape[0]))
    for shift in range(frames):
        writer.write(np.roll(image, shift, axis=1))
    writer.release()


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sentences(done: Done) -> list[str]:
    """The lines of stderr that the program itself writes; MediaPipe's C++ code logs there as well."""
    return [line for line in done.err.splitlines() if line.startswith(("face_expr: ", "Error: "))]


def test_image_gives_its_face_and_a_drawn_image(face_expr: FaceExpr, portrait: NDArray[np.uint8]) -> None:
    cv2.imwrite("face.png", portrait)
    done = face_expr("image", "face.png", "--out", "drawn.png", "--json", "face.json")
    assert (done.status, done.out) == (0, "faces: 1\n")
    (face,) = json.loads(Path("face.json").read_text())["faces"]
    assert abs(face["pose"]["yaw_deg"]) < 5
    assert len(face["landmarks"]) == 478
    assert len(face["blendshapes"]) == 52
    assert face["action_units"].keys() >= {"AU1", "AU12", "AU45"}
    assert (face["label"], face["mouth_open"]) == ("neutral", False)
    assert cv2.imread("drawn.png").shape == portrait.shape


def test_video_gives_one_json_line_per_frame(face_expr: FaceExpr, portrait: NDArray[np.uint8]) -> None:
    write_video(Path("clip.avi"), portrait, 5)
    done = face_expr("video", "clip.avi", "--jsonl", "faces.jsonl", "--out", "drawn.mp4")
    assert done.status == 0, done.err
    assert "frames_with_face: 5" in done.out
    lines = [json.loads(line) for line in Path("faces.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[4]["stamp"] == pytest.approx(0.2)
    assert {face["id"] for line in lines for face in line["faces"]} == {"f1"}
    assert Path("drawn.mp4").stat().st_size > 1000


def test_face_is_neutral_from_the_given_time_on(face_expr: FaceExpr, portrait: NDArray[np.uint8]) -> None:
    writer = cv2.VideoWriter("still.avi", cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (640, 480))
    for _ in range(20):
        writer.write(portrait)
    writer.release()
    shown = {}
    for name, options in {"uncalibrated": [], "calibrated": ["--neutral-at", "0.5"]}.items():
        done = face_expr("video", "still.avi", "--smooth", "none", "--jsonl", "faces.jsonl", *options)
        assert done.status == 0, done.err
        lines = [json.loads(line) for line in Path("faces.jsonl").read_text().splitlines()]
        shown[name] = np.array([list(line["faces"][0]["blendshapes"].values()) for line in lines])
    np.testing.assert_allclose(shown["calibrated"][:11], shown["uncalibrated"][:11], atol=1e-4)
    assert shown["calibrated"][11:].sum() < shown["uncalibrated"][11:].sum()


@pytest.mark.parametrize(("seconds", "reason"), [("0", "no face is in view"), ("9.5", "the video ends after 0.10 s")])
def test_neutral_time_without_a_face_is_refused(face_expr: FaceExpr, seconds: str, reason: str) -> None:
    write_video(Path("clip.avi"), noise(64, 48), 2)
    done = face_expr("video", "clip.avi", "--neutral-at", seconds)
    assert done.status == 2
    assert sentences(done) == [
        f"face_expr: expected a neutral face at {seconds} s, but {reason}: give another time to --neutral-at"
    ]


def test_several_images_give_a_line_each(face_expr: FaceExpr, portrait: NDArray[np.uint8]) -> None:
    cv2.imwrite("face.png", portrait)
    Path("broken.png").write_text("")
    done = face_expr("image", "face.png", "broken.png", "--jsonl", "faces.jsonl")
    assert done.status == 1
    assert "images: 2, with a face: 1, unreadable: 1" in done.out
    face, broken = map(json.loads, Path("faces.jsonl").read_text().splitlines())
    assert (face["file"], len(face["faces"])) == ("face.png", 1)
    assert broken.keys() == {"file", "error"}


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 2)])
def test_tiny_image_has_no_face(face_expr: FaceExpr, size: tuple[int, int]) -> None:
    cv2.imwrite("tiny.png", noise(*size))
    assert face_expr("image", "tiny.png", "--out", "drawn.png").out == "faces: 0\n"
    assert cv2.imread("drawn.png").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("kind", ["gray", "16 bits", "alpha"])
def test_images_of_other_formats_are_read(face_expr: FaceExpr, portrait: NDArray[np.uint8], kind: str) -> None:
    gray = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    images = {"gray": gray, "16 bits": gray.astype(np.uint16) * 257, "alpha": np.dstack([portrait, gray])}
    cv2.imwrite("face.png", images[kind])
    assert face_expr("image", "face.png").out == "faces: 1\n"


def test_truncated_video_is_processed_with_a_warning(face_expr: FaceExpr) -> None:
    write_video(Path("whole.avi"), noise(64, 48), 40)
    data = Path("whole.avi").read_bytes()
    Path("broken.avi").write_bytes(data[: len(data) // 2])
    done = face_expr("video", "broken.avi")
    assert done.status == 0, done.err
    assert "of 40 frames can be decoded" in done.err
    assert "frames_with_face: 0" in done.out


BAD_USAGE = {
    "no verb": ([], ""),
    "unknown verb": (["imagine"], "No such command 'imagine'"),
    "unknown option": (["image", "good.png", "--ouput", "x"], "No such option"),
    "no file": (["image"], "Missing argument"),
    "missing image": (["image", "missing.png"], "'missing.png' does not exist"),
    "missing video": (["video", "missing.mp4"], "'missing.mp4' does not exist"),
    "a folder": (["image", "."], "'.' is a folder, which needs an output: --jsonl, --csv, --parquet or --out"),
    "several images": (["image", "good.png", "text.txt"], "several files need an output"),
    "lines and a record": (
        ["image", "good.png", "--jsonl", "x.jsonl", "--json", "x.json"],
        "--json takes one image without --jsonl",
    ),
    "no image": (["image", "text.txt"], "'text.txt' cannot be decoded as an image"),
    "empty image": (["image", "empty"], "'empty' cannot be decoded as an image"),
    "image formats": (["image", "text.txt"], "(JPEG, PNG, BMP, WebP, TIFF or PPM; with Pillow also GIF and AVIF"),
    "video as image": (["image", "good.avi"], "got the AVI video 'good.avi': use face_expr video"),
    "image as video": (["video", "good.png"], "got the PNG image 'good.png': use face_expr image"),
    "folder without videos": (["video", "void", "--jsonl", "x.jsonl"], "in the folder 'void', found none"),
    "drawing and view": (
        ["video", "good.avi", "--out", "x.mp4", "--draw", "3d", "--side-by-side", "mesh"],
        "expected at most one of --draw and --side-by-side, got 3d and mesh",
    ),
    "view without out": (["video", "good.avi", "--side-by-side", "mesh"], "mesh requires --out"),
    "angle and calibration": (
        ["image", "good.png", "--field-of-view", "60", "--camera-info", "text.txt"],
        "expected at most one of --field-of-view and --camera-info, got both",
    ),
    "no calibration": (["video", "good.avi", "--camera-info", "text.txt"], "is not a calibration file"),
    "video suffix": (["video", "good.avi", "--out", "x.gif"], "give a name that ends in .mp4 or .mov or .mkv or .webm"),
    "neutral after the end": (["video", "good.avi", "--neutral-at", "9"], "but the video ends after 0.10 s"),
    "no video": (["video", "text.txt"], "text.txt cannot be read as a video"),
    "empty video": (["video", "empty"], "empty cannot be read as a video"),
    "bundle": (["image", "good.png", "--bundle", "3ddfa_v2"], "bundle '3ddfa_v2' is not installed in "),
    "image folder": (["image", "good.png", "--out", "no/x.png"], "--out: there is no folder 'no': create it first"),
    "image suffix": (["image", "good.png", "--out", "x.what"], "'x.what' cannot be written as an image"),
    "video folder": (["video", "good.avi", "--out", "no/x.mp4"], "--out: there is no folder 'no': create it first"),
    "lines folder": (["video", "good.avi", "--jsonl", "no/x.jsonl"], "there is no folder 'no': create it first"),
    "json folder": (["image", "good.png", "--json", "no/x.json"], "there is no folder 'no': create it first"),
    "no protocol": (["evaluate"], ""),
    "unknown protocol": (["evaluate", "reality"], "No such command 'reality'"),
    "no frames": (["evaluate", "synthetic", "--frames", "0"], "0 is not in the range x>=1"),
    "evaluated bundle": (
        ["evaluate", "synthetic", "--bundle", "x"],
        "bundle: expected one of open, 3ddfa_v2, got 'x'",
    ),
    "no time": (["demo", "--seconds", "0"], "0.0 is not in the range x>0"),
    "no number": (["demo", "--seconds", "long"], "'long' is not a valid float"),
}


@pytest.mark.parametrize("case", BAD_USAGE)
def test_wrong_usage_ends_with_status_2_and_one_sentence(
    face_expr: FaceExpr, case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))  # no bundle has been fetched
    cv2.imwrite("good.png", noise(64, 48))
    write_video(Path("good.avi"), noise(64, 48), 2)
    Path("text.txt").write_text("plain text")
    Path("empty").touch()
    Path("void").mkdir()
    arguments, words = BAD_USAGE[case]
    done = face_expr(*arguments)
    assert done.status == 2
    assert "Traceback" not in done.err
    if words:
        assert len(sentences(done)) == 1
        assert words in sentences(done)[0]
    else:
        assert "Usage: " in done.err


def test_damaged_bundle_is_one_sentence_without_traceback(face_expr: FaceExpr, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"face_model": {"file": "package.xml", "sha256": "0" * 64}}
    monkeypatch.setattr(bundle, "manifest", lambda: {"open": entry})
    cv2.imwrite("good.png", noise(64, 48))
    done = face_expr("image", "good.png")
    assert done.status == 2
    assert len(sentences(done)) == 1
    assert "of bundle 'open': expected a file with sha256 000" in sentences(done)[0]
    with pytest.raises(ValueError, match="expected a file with sha256"):
        bundle.open_face_model("open")


def test_internal_error_shows_its_traceback_with_verbose(face_expr: FaceExpr, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("face_expr_ros.cli.process_stills.analyze_image", fail)
    cv2.imwrite("good.png", noise(64, 48))
    done = face_expr("image", "good.png")
    assert done.status == 1
    assert sentences(done)[0].startswith("face_expr: internal error, RuntimeError: a bug; run it again with --verbose")
    assert "Traceback" not in done.err
    monkeypatch.setenv(SHOW, "0")  # --verbose changes it
    with pytest.raises(RuntimeError, match="a bug"):
        face_expr("image", "good.png", "--verbose")


def test_portraits_are_evaluated_with_the_chosen_landmark_backend(face_expr: FaceExpr, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,jawOpen\na.png,0\n")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 3), 90, np.uint8))
    done = face_expr(
        "evaluate", "portraits", "--images", str(tmp_path), "--labels", str(labels), "--landmarks", "facemesh_v3"
    )
    assert done.status == 2
    assert "landmarks.backend: expected one of" in done.err
