"""Measures the page in a browser without a GPU: ``PYTHONPATH=test ./run exec python -m support.page_frame_rate``.

First alone, fed by a synthetic stream, then beside the pipeline (``face_expr web``) on the same cores. An argument is the
source of the pipeline, for example a video file; default is the synthetic person, whose rendering costs CPU time too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page
from support.browser import chromium, open_page, until
from support.page_picture import SIZE, Smiling, portrait
from support.web_clients import running_server

SETTLE, MEASURED = 4.0, 10.0  # seconds
FACE = "faceExpr.lastFrame()?.faces.length >= 1"
VIEWS = ("portrait", "camera")


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
    command = [sys.executable, "-c", code, "web", "--port", "0", "--source", source]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = next((line for line in process.stdout if "http://" in line), "")
    found = re.search(r"http://\S+", line)
    assert found, "face_expr web did not print a URL"
    yield found.group()
    process.terminate()
    process.wait()


def measure(page: Page) -> str:
    """Frames per second drawn and received, and the latency, in words."""
    time.sleep(SETTLE)
    counts = "[faceExpr.drawn, faceExpr.frames, performance.now() / 1000]"
    before = page.evaluate(counts)
    page.wait_for_timeout(1000 * MEASURED)
    drawn, received, seconds = (b - a for a, b in zip(before, page.evaluate(counts), strict=True))
    script, latency, width = page.evaluate(
        "[faceExpr.scriptMs, faceExpr.latencyMs, document.getElementById('canvas').width]"
    )
    return (
        f"{drawn / seconds:.1f} frames per second drawn, {received / seconds:.1f} received, script {script:.1f} ms,"
        f" latency {latency:.0f} ms, {width} pixels wide"
    )


def report(browser: Browser, url: str, name: str) -> None:
    """Print the figures of both views."""
    with open_page(browser, url, size=SIZE) as (page, _):
        until(page, FACE)
        for view in VIEWS:
            page.locator(f"input[value={view}]").evaluate("input => input.click()")
            print(f"{name}, {view}: {measure(page)}", flush=True)


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else "synthetic"
    with chromium() as browser:
        with synthetic_stream() as url:
            report(browser, url, "page alone")
        with pipeline(source) as url:
            report(browser, url, f"beside the pipeline ({source.split('/')[-1]})")


if __name__ == "__main__":
    main()
