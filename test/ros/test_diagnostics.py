"""What a node says about itself: the sentence a person should read first, and the numbers."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from face_expr_ros.ros.diagnostics import Health, InputStatus

TIMEOUT = 2.0
QUIET = InputStatus(publishers=1, input_timeout=TIMEOUT, camera_problem="")
ALONE = InputStatus(publishers=0, input_timeout=TIMEOUT, camera_problem="")
UNCALIBRATED = InputStatus(publishers=1, input_timeout=TIMEOUT, camera_problem="CameraInfo cannot be used")
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def health(now: float = 100.0) -> Health:
    result = Health("/camera/image_raw", {"model": "open"})
    result.start(now)
    return result


def working(faces: int = 1) -> Health:
    """Active since 100 s, an image every 0.1 s until 110 s."""
    result = health()
    for tenth in range(1, 101):
        result.arrived(100 + tenth / 10, dropped=tenth % 10 == 0)
        result.succeeded(100 + tenth / 10, faces, {"landmarks": 0.003}, input_age=0.012)
    return result


@pytest.mark.parametrize(
    ("status", "level", "words"),
    [
        (health().problem(101.0, ALONE), OK, "nobody in view"),
        (health().problem(103.0, ALONE), WARN, "nobody publishes /camera/image_raw"),
        (health().problem(103.0, QUIET), WARN, "no image has arrived on /camera/image_raw though it is published"),
        (working().problem(110.1, QUIET), OK, "faces"),
        (working(faces=0).problem(110.1, QUIET), OK, "nobody in view"),
        (working().problem(112.5, QUIET), WARN, "the image topic /camera/image_raw has stopped"),
        (working().problem(110.1, UNCALIBRATED), WARN, "CameraInfo cannot be used"),
    ],
)
def test_the_sentence_names_what_is_wrong_and_the_topic(status: tuple[bytes, str], level: bytes, words: str) -> None:
    assert status[0] == level
    assert words in status[1]


def test_a_bad_image_is_an_error_until_images_are_good_again_for_a_while() -> None:
    state = working()
    state.failed(110.0, "an encoding of ... was wanted, 'x' was given")
    state.arrived(110.0, dropped=False)
    level, words = state.problem(110.5, QUIET)
    assert level == ERROR
    assert "bad images on /camera/image_raw: an encoding" in words
    state.arrived(113.0, dropped=False)
    assert state.problem(113.0, QUIET)[0] == OK


def test_the_numbers_are_there() -> None:
    state = working()
    state.failed(105.0, "a step of at least ...")
    status = state.status("robot/perception", 110.0, QUIET)
    values = {pair.key: pair.value for pair in status.values}
    assert (status.name, status.hardware_id) == ("robot/perception", "/camera/image_raw")
    wanted = {
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
    assert {key: values[key] for key in wanted} == wanted
