"""The option --calibration of the verbs image and video."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros import cli
from face_expr_ros.drawing.video_writer import video_writer

NEUTRAL = "version: 1\nneutral: {mouthClose: 0.9, browInnerUp: 0.9}\nblendshapes: {jawOpen: {gain: 0}}\n"
Verb = Callable[..., tuple[int, dict[str, float]]]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait: NDArray[np.uint8]) -> Verb:
    """Runs a verb with options on a file of the portrait; returns the status and the blendshapes of the first face."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("portrait.png", portrait)
    clip = Path("portrait.mp4")
    with video_writer(clip, (portrait.shape[1], portrait.shape[0]), clip) as writer:
        for number in range(3):
            writer.write(portrait, number / 30)
    Path("calibration.yaml").write_text(NEUTRAL)

    def run(name: str, file: str, *options: str) -> tuple[int, dict[str, float]]:
        monkeypatch.setattr(sys, "argv", ["face_expr", name, file, "--jsonl", "out.jsonl", *options])
        status = cli.main()
        if status:
            return status, {}
        faces = json.loads(Path("out.jsonl").read_text().splitlines()[-1])["faces"]
        return status, faces[0]["blendshapes"]

    return run


@pytest.mark.parametrize(("name", "file"), [("image", "portrait.png"), ("video", "portrait.mp4")])
def test_the_calibration_changes_the_blendshapes(verb: Verb, name: str, file: str) -> None:
    _, plain = verb(name, file)
    Path("out.jsonl").unlink()
    _, calibrated = verb(name, file, "--calibration", "calibration.yaml")
    assert plain["jawOpen"] > 0
    assert calibrated["jawOpen"] == 0
    assert calibrated["eyeBlinkLeft"] == pytest.approx(plain["eyeBlinkLeft"])


def test_another_calibration_starts_again(verb: Verb) -> None:
    _, calibrated = verb("image", "portrait.png", "--calibration", "calibration.yaml")
    _, plain = verb("image", "portrait.png")
    assert plain["jawOpen"] != calibrated["jawOpen"]


@pytest.mark.parametrize("name", ["image", "video"])
def test_a_file_that_is_no_calibration_is_refused_before_the_work(
    verb: Verb, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("calibration.yaml").write_text("version: 1\nblendshapes: {jawOpen: {gian: 2}}\n")
    assert (
        verb(name, "portrait.png" if name == "image" else "portrait.mp4", "--calibration", "calibration.yaml")[0] == 2
    )
    assert "gian" in capfd.readouterr().err
    assert not Path("out.jsonl").exists()
