"""Videos of phones are read upright, whatever OpenCV does by itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.rotated_video import MATRICES, write_rotated_video

from face_expr_ros.cli import main
from face_expr_ros.core.config import CameraConfig
from face_expr_ros.sources import open_source

ROTATIONS = sorted(MATRICES)


def quadrants() -> NDArray[np.uint8]:
    """(64, 96, 3) BGR: red, green, blue and white in the corners, from the top left, row by row."""
    colors = np.array([[[0, 0, 255], [0, 255, 0]], [[255, 0, 0], [255, 255, 255]]], np.uint8)
    return np.kron(colors, np.ones((32, 48, 1), np.uint8))


@pytest.fixture(params=[None, 0, 1], ids=["OpenCV's default", "off in OpenCV", "on in OpenCV"])
def opencv_rotation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an OpenCV does by itself when it opens a video: some versions rotate, others do not."""

    def open_capture(*given: Any) -> cv2.VideoCapture:
        capture = original(*given)
        if request.param is not None:
            assert capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, request.param)
        return capture

    original = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", open_capture)


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_frames_are_upright(tmp_path: Path, opencv_rotation: None, degrees: int) -> None:
    """Also when the video is played again from the beginning."""
    write_rotated_video(tmp_path / "phone.mp4", quadrants(), degrees, frames=2)
    source = open_source(CameraConfig(source=str(tmp_path / "phone.mp4"), loop=True), print)
    for _ in range(4):
        frame = source.read(0.0)
        assert frame is not None
        assert frame.image.shape == (64, 96, 3)
        assert np.abs(frame.image.astype(int) - quadrants()).mean() < 12  # the codec smears the borders
    source.close()


@pytest.mark.parametrize("degrees", ROTATIONS)
def test_face_of_a_rotated_video_is_upright(
    tmp_path: Path, portrait: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, degrees: int
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rotated_video(tmp_path / "phone.mp4", portrait, degrees)
    arguments = ["video", "phone.mp4", "--out", "drawn.mp4", "--jsonl", "faces.jsonl"]
    monkeypatch.setattr(sys, "argv", ["face_expr", *arguments])
    assert main() == 0
    for line in Path("faces.jsonl").read_text().splitlines():
        (face,) = json.loads(line)["faces"]
        assert abs(face["pose"]["roll_deg"]) < 5
    drawn = cv2.VideoCapture("drawn.mp4").read()[1]
    assert drawn.shape == portrait.shape
