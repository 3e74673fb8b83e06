"""Frames of videos have the times of their container, whatever the header says about the rate."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.timed_video import TIMES, write_timed_video

from face_expr_ros.sources.source_frame import SourceError
from face_expr_ros.sources.video import VideoSource
from face_expr_ros.sources.video_times import DEFAULT_INTERVAL, VideoTimes

IMAGES = [np.full((48, 64, 3), 20 * n, np.uint8) for n in range(len(TIMES))]


def times_of(path: Path, count: int = 1000, *, loop: bool = False) -> list[float]:
    source = VideoSource(path, loop=loop, warn=pytest.fail)
    times: list[float] = []
    while len(times) < count and (frame := source.read(0.0)) is not None:
        assert frame.time is not None
        times.append(frame.time)
    source.close()
    return times


@pytest.mark.parametrize("name", ["browser.webm", "phone.mp4"])
def test_irregular_times_are_kept(tmp_path: Path, name: str) -> None:
    video = write_timed_video(tmp_path / name, IMAGES)
    assert times_of(video) == pytest.approx(TIMES, abs=0.0011)


def test_rate_of_a_browser_recording_is_unknown(tmp_path: Path) -> None:
    """Its header has 1000 frames per second."""
    source = VideoSource(write_timed_video(tmp_path / "browser.webm", IMAGES), loop=False, warn=pytest.fail)
    assert cv2.VideoCapture(str(tmp_path / "browser.webm")).get(cv2.CAP_PROP_FPS) == 1000
    assert (source.rate, source.frame_count) == (0.0, None)
    source.close()


def test_times_of_a_repeated_video_continue(tmp_path: Path) -> None:
    video = write_timed_video(tmp_path / "browser.webm", IMAGES[:3], TIMES[:3])
    last = 2 * TIMES[2] - TIMES[1]  # the last frame is shown as long as the one before
    expected = [*TIMES[:3], *(last + time for time in TIMES[:3])]
    assert times_of(video, 6, loop=True) == pytest.approx(expected, abs=0.0011)


@pytest.mark.parametrize("rate", [15.0, 60.0])
def test_constant_rate_is_that_of_the_container(tmp_path: Path, rate: float) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), rate, (64, 48))
    for image in IMAGES:
        writer.write(image)
    writer.release()
    assert times_of(tmp_path / "a.avi") == pytest.approx(np.arange(len(IMAGES)) / rate, abs=1e-6)


CASES = {
    "regular": (0.0, [0.0, 0.1, 0.2], [0.0, 0.1, 0.2], 0),
    "late start": (0.0, [5.0, 5.1, 5.3], [0.0, 0.1, 0.3], 0),
    "no stamps": (25.0, [0.0, 0.0, 0.0], [0.0, 0.04, 0.08], 2),
    "no stamps, no rate": (0.0, [0.0, 0.0], [0.0, DEFAULT_INTERVAL], 1),
    "a step back": (0.0, [0.0, 0.1, 0.05, 0.3], [0.0, 0.1, 0.2, 0.3], 1),
    "negative first stamp": (0.0, [-0.1, 0.1], [0.0, 0.1], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_times_always_increase(case: str) -> None:
    rate, stamps, expected, irregular = CASES[case]
    times = VideoTimes(rate)
    assert [times(stamp) for stamp in stamps] == pytest.approx(expected)
    assert times.irregular == irregular


def test_image_is_no_video(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), IMAGES[0])
    with pytest.raises(SourceError, match=r"expected a video, got the JPEG image .*use face_expr image"):
        VideoSource(tmp_path / "a.jpg", loop=False, warn=print)
