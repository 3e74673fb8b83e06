"""The server without ROS: source, pipeline and web server in one process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.web_clients import TIMEOUT, hello_of, open_socket

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.web.codec import StreamFrame, decode_frame
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.live import serve
from face_expr_ros.web.server import FaceServer

PROGRAM = "import sys; from face_expr_ros.cli import main; sys.argv[0] = 'face_expr'; sys.exit(main())"
FRAMES = 12


@pytest.fixture
def clip(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (640, 480))
    for shift in range(FRAMES):
        writer.write(np.roll(portrait, shift, axis=1))
    writer.release()
    return path


def test_faces_of_a_video_file_are_sent_to_the_page(clip: Path) -> None:
    frames: list[StreamFrame] = []
    listening = threading.Event()

    def listen(server: FaceServer) -> None:
        with open_socket(server, "/ws/stream") as stream:
            hello_of(stream)
            listening.set()
            while len(frames) < 3:
                message = stream.recv(TIMEOUT)
                assert isinstance(message, bytes)
                frames.append(decode_frame(message))

    clients: list[threading.Thread] = []

    def ready(server: FaceServer) -> None:
        clients.append(threading.Thread(target=listen, args=(server,)))
        clients[0].start()
        assert listening.wait(TIMEOUT)

    camera = CameraConfig(source=str(clip), loop=False)
    images = serve(WebConfig(port=0), camera, PerceptionConfig(), warn=print, ready=ready)
    clients[0].join(TIMEOUT)
    assert images == FRAMES
    assert len(frames) == 3
    assert (frames[-1].width, frames[-1].height) == (640, 480)
    assert len(frames[-1].faces) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "port: expected an integer from 0 to 65535, got 70000"),
        (["--source", "missing.mp4"], "there is no file 'missing.mp4'"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "web", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
