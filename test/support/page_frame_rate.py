"""Measures the page in a browser without a GPU: ``PYTHONPATH=test ./run exec python -m support.page_frame_rate CLIP``.

Alone, fed by a synthetic stream; beside the pipeline (``face_expr web``) on the same cores; and with *My camera*, for
which Chromium plays the video file CLIP as its camera. Without CLIP the pipeline processes the synthetic person, whose
rendering costs CPU time too, and *My camera* is left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from support.page_picture import SIZE, Smiling, portrait
from support.plain_browser import PlainPage, plain_page
from support.web_clients import running_server

SETTLE, MEASURED = 4.0, 10.0  # seconds
FACE = "window.faceExpr?.lastFrame()?.faces.length >= 1"
MAX_CAMERA_FRAMES = 120
CAMERA_HEADER = b"YUV4MPEG2 W1280 H720 F30:1 Ip A1:1 C420jpeg\n"
START_CAMERA = """document.querySelector('input[name=source][value=webcam]').click();
    document.querySelector('#consent button[value=yes]').click()"""


@contextmanager
def synthetic_stream() -> Iterator[str]:
    """URL of a server that publishes a smiling face at 30 Hz."""
    server, image = running_server(), portrait()
    person = Smiling(server, lambda: image)
    yield server.url
    person.leave()
    server.close()


@contextmanager
def pipeline(source: str) -> Iterator[str]:
    """URL of ``face_expr web`` with a source."""
    code = "import sys; from face_expr_ros.cli import main; sys.exit(main())"
    command = [sys.executable, "-u", "-c", code, "web", "--port", "0", "--source", source]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = next((line for line in process.stdout if "http://" in line), "")
    found = re.search(r"http://\S+", line)
    assert found, "face_expr web did not print a URL"
    yield found.group()
    process.terminate()
    process.wait()


def write_camera_file(clip: str, path: Path) -> None:
    """A Y4M file of 1280x720 at 30 Hz that shows a clip forward and backward."""
    video = cv2.VideoCapture(clip)
    images: list[bytes] = []
    while len(images) < MAX_CAMERA_FRAMES // 2:
        found, image = video.read()
        if not found:
            break
        images.append(cv2.cvtColor(cv2.resize(image, (1280, 720)), cv2.COLOR_BGR2YUV_I420).tobytes())
    with path.open("wb") as file:
        file.write(CAMERA_HEADER)
        for image in images + images[::-1]:
            file.write(b"FRAME\n" + image)


def measure(page: PlainPage) -> str:
    """Frames per second drawn and received, and the latency, in words."""
    time.sleep(SETTLE)
    counts = "[faceExpr.drawn, faceExpr.frames, performance.now() / 1000]"
    before = page.evaluate(counts)
    time.sleep(MEASURED)
    drawn, received, seconds = (b - a for a, b in zip(before, page.evaluate(counts), strict=True))
    script, latency, width = page.evaluate(
        "[faceExpr.scriptMs, faceExpr.latencyMs, document.getElementById('canvas').width]"
    )
    return (
        f"{drawn / seconds:.1f} frames per second drawn, {received / seconds:.1f} received, script {script:.1f} ms,"
        f" latency {latency:.0f} ms, {width} pixels wide"
    )


def report(url: str, name: str) -> None:
    """Print the figures of both views."""
    with plain_page(url, SIZE) as page:
        page.until(FACE)
        for view in ("portrait", "camera"):
            page.evaluate(f"document.querySelector('input[value={view}]').click()")
            print(f"{name}, {view}: {measure(page)}", flush=True)


def report_camera(url: str, clip: str) -> None:
    """Print the figures of *My camera*, started twice."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "camera.y4m")
        write_camera_file(clip, file)
        with plain_page(url, SIZE, [f"--use-file-for-fake-video-capture={file}"]) as page:
            page.until("window.faceExpr?.state === 'open' && faceExpr.model")
            for _ in range(2):
                begun = time.monotonic()
                page.evaluate(START_CAMERA)
                page.until(f"faceExpr.source === 'webcam' && {FACE}")
                print(f"my camera: first face after {time.monotonic() - begun:.1f} s, {measure(page)}", flush=True)
                page.evaluate("document.querySelector('input[name=source][value=stream]').click()")


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else "synthetic"
    with synthetic_stream() as url:
        report(url, "page alone")
    with pipeline(source) as url:
        report(url, "beside the pipeline")
    if source != "synthetic":
        server = running_server()
        report_camera(server.url, source)
        server.close()


if __name__ == "__main__":
    main()
