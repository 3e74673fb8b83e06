"""Level, message and values of the perception node's diagnostics."""

from __future__ import annotations

import sys
import threading

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from face_expr_ros.ros.diagnostics import Health, InputStatus

TIMEOUT = 2.0
PUBLISHED = InputStatus(publishers=1, input_timeout=TIMEOUT, camera_problem="")
UNPUBLISHED = InputStatus(publishers=0, input_timeout=TIMEOUT, camera_problem="")
UNCALIBRATED = InputStatus(publishers=1, input_timeout=TIMEOUT, camera_problem="CameraInfo cannot be used")
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def started(now: float = 100.0) -> Health:
    result = Health("/camera/image_raw", {"model": "open"})
    result.start(now)
    return result


def running(faces: int = 1, seconds: int = 10) -> Health:
    """Active since 100 s, an image every 0.1 s for some seconds."""
    result = started()
    for tenth in range(1, 10 * seconds + 1):
        result.image_received(100 + tenth / 10, dropped=tenth % 10 == 0)
        result.frame_published(100 + tenth / 10, faces, {"landmarks": 0.003}, input_age=0.012)
    return result


@pytest.mark.parametrize(
    ("summary", "level", "message"),
    [
        (started().summary(101.0, UNPUBLISHED), OK, "no faces detected"),
        (started().summary(103.0, UNPUBLISHED), WARN, "no images: /camera/image_raw has no publisher"),
        (started().summary(103.0, PUBLISHED), WARN, "/camera/image_raw has a publisher but nothing is received"),
        (running().summary(110.1, PUBLISHED), OK, "faces detected"),
        (running(faces=0).summary(110.1, PUBLISHED), OK, "no faces detected"),
        (running(faces=0, seconds=40).summary(140.1, PUBLISHED), OK, "sideways or upside down, set image_rotation"),
        (running(seconds=40).summary(140.1, PUBLISHED), OK, "faces detected"),
        (running().summary(112.5, PUBLISHED), WARN, "no images: nothing received on /camera/image_raw for over 2 s"),
        (running().summary(110.1, UNCALIBRATED), WARN, "CameraInfo cannot be used"),
    ],
)
def test_the_message_names_the_problem_and_the_topic(summary: tuple[bytes, str], level: bytes, message: str) -> None:
    assert summary[0] == level
    assert message in summary[1]


def test_an_invalid_image_is_an_error_until_the_input_timeout() -> None:
    state = running()
    state.frame_failed(110.0, "expected an encoding of ..., got 'x'")
    state.image_received(110.0, dropped=False)
    level, message = state.summary(110.5, PUBLISHED)
    assert level == ERROR
    assert "invalid images on /camera/image_raw: expected an encoding" in message
    state.image_received(113.0, dropped=False)
    assert state.summary(113.0, PUBLISHED)[0] == OK


def test_the_status_contains_counters_rate_and_stage_times() -> None:
    state = running()
    state.frame_failed(105.0, "a step of at least ...")
    status = state.status("robot/perception", 110.0, PUBLISHED)
    values = {pair.key: pair.value for pair in status.values}
    assert (status.name, status.hardware_id) == ("robot/perception", "/camera/image_raw")
    expected = {
        "frames": "100",
        "dropped frames": "10",
        "bad frames": "1",
        "last error": "a step of at least ...",
        "fps": "10.0",
        "faces": "1",
        "landmarks [ms]": "3.00",
        "image stamp to published [ms]": "12.0",
        "since last image [s]": "0.0",
        "model": "open",
    }
    assert {key: values[key] for key in expected} == expected


def test_images_may_be_published_while_the_status_is_made() -> None:
    """In the node, images are published in the worker thread and the status is made in the executor's thread."""
    health, done = running(), threading.Event()

    def publish() -> None:
        while not done.is_set():
            health.frame_published(111.0, 1, {"landmarks": 0.003}, input_age=0.012)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    worker = threading.Thread(target=publish)
    worker.start()
    try:
        for _ in range(300):
            health.status("perception", 110.1, PUBLISHED)
    finally:
        done.set()
        worker.join()
        sys.setswitchinterval(interval)
