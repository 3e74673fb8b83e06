"""The headless demo: output, exit status and errors."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.nodes.demo import camera_overrides, free_port
from face_expr_ros.nodes.demo import run_demo as start_demo
from face_expr_ros.nodes.demo_monitor import DemoError, is_listening
from face_expr_ros.ros.child_process import node_arguments
from face_expr_ros.ros.environment import prepare_environment
from face_expr_ros.web.config import WebConfig

KEYS = {"frames_in", "frames_out", "frames_with_face", "fps", "latency_ms", "faces_max", "ids"}
PROGRAM = "import sys; from face_expr_ros.cli import main; sys.argv[0] = 'face_expr'; sys.exit(main())"


def write_clip(path: Path, image: NDArray[np.uint8], frames: int = 30) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (image.shape[1], image.shape[0]))
    for shift in range(frames):
        writer.write(np.roll(image, shift, axis=1))
    writer.release()
    return path


def run_demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "demo", "--headless", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "ROS_DOMAIN_ID"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
def test_the_synthetic_demo_writes_results_and_a_video(tmp_path: Path) -> None:
    done = run_demo("--seconds", "4", "--json", "result.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result.keys() >= KEYS
    assert result["frames_with_face"] > 0
    assert result["frames_in"] >= result["frames_out"] >= result["frames_with_face"]
    assert (result["faces_max"], result["ids"]) == (1, ["f1"])
    assert result["latency_ms"].keys() >= {"p50", "p95", "p99"}
    assert "out/demo.mp4" in done.stderr
    assert "fps" in done.stderr
    assert "XNNPACK" not in done.stderr  # a line of each node that loads networks, unless asked for
    success, frame = cv2.VideoCapture(str(tmp_path / "out/demo.mp4")).read()
    assert success
    assert frame.shape == (720, 1280, 3)


@pytest.mark.slow
def test_the_headless_demo_serves_the_page_with_web(tmp_path: Path) -> None:
    done = run_demo("--web", "--seconds", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "serving the page at http://127.0.0.1:" in done.stderr


def test_another_port_is_used_if_the_preferred_one_is_in_use() -> None:
    with socket.socket() as other:
        other.bind((WebConfig().host, 0))
        other.listen()
        address = other.getsockname()
        assert is_listening(address)
        assert free_port(address[1]) != address[1]
    assert not is_listening(address)
    assert free_port(address[1]) == address[1]


@pytest.mark.slow
def test_the_demo_ends_after_a_video(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    write_clip(tmp_path / "clip.avi", portrait)
    done = run_demo("--source", "clip.avi", "--json", "r.json", "--out", "annotated.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "playing clip.avi once" in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["frames_in"] <= 30
    assert (tmp_path / "annotated.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_a_video_without_a_face_is_reported_with_exit_status_1(tmp_path: Path) -> None:
    write_clip(tmp_path / "wall.avi", np.full((480, 640, 3), 120, np.uint8), frames=6)
    done = run_demo("--source", "wall.avi", cwd=tmp_path)
    assert done.returncode == 1
    assert "no face was detected in any image" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "missing.mp4"], "there is no file 'missing.mp4'"),
        (["--source", "device:one"], "expected a source device:N with a number"),
        (["--bundle", "3ddfa_v2"], "bundle '3ddfa_v2' is not installed in "),
        (["--bundle", "unknown"], "bundle: expected one of open, 3ddfa_v2, got 'unknown'"),
        (["--window"], "expected at most one of --headless and --window"),
    ],
)
def test_a_startup_error_is_reported_with_exit_status_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_EXPR_HOME", str(tmp_path))
    done = run_demo(*arguments, "--seconds", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_window_requires_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DemoError, match="--window: expected a display, got none"):
        start_demo(window=True)


def test_a_video_is_published_at_its_own_times(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    clip = write_clip(tmp_path / "clip.avi", portrait, frames=5)
    assert camera_overrides(str(clip), loop=True) == {"source": str(clip), "loop": True}
    assert camera_overrides("synthetic", loop=False) == {"source": "synthetic", "loop": False}


@pytest.mark.parametrize("value", ["a b: c.mp4", "1.5", "ö'\".mp4", True, 2.5])
def test_node_arguments_preserve_values(make_node: Any, value: Any) -> None:
    arguments = node_arguments("camera", {"frame_id": value})[1:]
    node = make_node(*arguments, name="camera")
    assert node.get_parameter("frame_id").value == value


@pytest.mark.parametrize(
    ("environment", "added"),
    [
        ({}, {"FASTDDS_DEFAULT_PROFILES_FILE"}),
        ({"ROS_DISTRO": "kilted"}, {"FASTDDS_DEFAULT_PROFILES_FILE"}),
        ({"ROS_DISTRO": "jazzy"}, {"FASTRTPS_DEFAULT_PROFILES_FILE"}),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}, set()),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"}, set()),
    ],
)
def test_the_fast_dds_profile_is_set_unless_the_user_has_one(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], added: set[str]
) -> None:
    environment = {"ROS_DOMAIN_ID": "1", **environment}
    monkeypatch.setattr(os, "environ", dict(environment))
    prepare_environment()
    assert os.environ.keys() - environment.keys() == added
