"""What a person sees on the terminal: nothing of the native libraries, unless asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import ROOT

from face_expr_ros.core.native_output import SHOW

PROGRAM = (sys.executable, "-c", "import sys; from face_expr_ros.cli import main; sys.exit(main())")


def face_expr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verb in a process of its own, because libraries write some lines only once in a process."""
    kept = {name: value for name, value in os.environ.items() if name != SHOW}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    """A folder with an image and a video of one face."""
    cv2.imwrite(str(tmp_path / "face.png"), portrait)
    writer = cv2.VideoWriter(str(tmp_path / "face.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, portrait.shape[1::-1])
    for _ in range(3):
        writer.write(portrait)
    writer.release()
    return tmp_path


@pytest.mark.parametrize("verb", ["image face.png --out drawn.png", "video face.avi --out drawn.mp4", "doctor"])
def test_no_lines_of_native_libraries(folder: Path, verb: str) -> None:
    lines = face_expr(folder, *verb.split()).stderr.splitlines()
    assert [line for line in lines if line and not line.startswith("face.avi: ")] == []  # the bar of video


def test_verbose_shows_them(folder: Path) -> None:
    assert "XNNPACK" in face_expr(folder, "image", "face.png", "--verbose").stderr
