"""The option --camera-info of the verbs image and video."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros import cli

FOCAL = 579.4  # pixels, at 640 x 480, of the camera that rendered the portrait
CALIBRATION = """
image_width: {width}
image_height: {height}
camera_matrix: {{rows: 3, cols: 3, data: [{focal}, 0.0, {x}, 0.0, {focal}, {y}, 0.0, 0.0, 1.0]}}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 5, data: [0.0, 0.0, 0.0, 0.0, 0.0]}}
"""


@pytest.fixture
def image_verb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait: NDArray[np.uint8]
) -> Callable[..., dict[str, Any]]:
    """Runs `face_expr image` on the portrait with these options; returns the only face, or the exit status."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("portrait.png", portrait)

    def run(*options: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["face_expr", "image", "portrait.png", "--json", "out.json", *options])
        status = cli.main()
        return {"status": status} if status else json.loads(Path("out.json").read_text())["faces"][0]

    return run


def write(path: Path, width: int, height: int) -> None:
    focal = FOCAL * width / 640
    path.write_text(CALIBRATION.format(width=width, height=height, focal=focal, x=(width - 1) / 2, y=(height - 1) / 2))


@pytest.mark.parametrize("scale", [1, 2])
def test_the_calibration_makes_the_distance_metric(
    image_verb: Callable[..., dict[str, Any]], tmp_path: Path, scale: int
) -> None:
    write(tmp_path / "camera.yaml", 640 * scale, 480 * scale)
    pose = image_verb("--camera-info", "camera.yaml")["pose"]
    assert pose["metric"]
    assert not pose["depth_used"]
    assert pose["position"][2] == pytest.approx(0.6, rel=0.15)  # meters, a face of unknown size
    assert not image_verb()["pose"]["metric"]


def test_a_calibration_of_another_aspect_is_refused(
    image_verb: Callable[..., dict[str, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "camera.yaml", 640, 360)
    assert image_verb("--camera-info", "camera.yaml") == {"status": 2}
    assert "expected a calibration for images of 640 x 480 or of the same aspect" in capfd.readouterr().err
