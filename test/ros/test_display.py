"""The demo's annotated video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.ros import display


def gray(level: int, width: int = 64) -> NDArray[np.uint8]:
    return np.full((48, width, 3), level, np.uint8)


def shown(path: Path) -> list[tuple[float, float]]:
    """Time in seconds and mean gray of each frame of a video of 64 x 48 pixels."""
    capture = cv2.VideoCapture(str(path))
    result: list[tuple[float, float]] = []
    while (read := capture.read())[0]:
        assert read[1].shape == (48, 64, 3)
        result.append((capture.get(cv2.CAP_PROP_POS_MSEC) * 1e-3, float(read[1].mean())))
    return result


class Synchronous:
    """Replaces the worker thread: processes every item immediately."""

    def __init__(self, work: Callable[[Any], None], name: str) -> None:
        self.put = work

    def close(self) -> None:
        pass


def test_images_are_shown_at_their_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second image has another size, the third and the fourth are too early."""
    monkeypatch.setattr(display, "LatestItemWorker", Synchronous)
    with display.Video(tmp_path / "new/a.mp4") as video:
        images = ((gray(40), 5.0), (gray(200, width=128), 5.3), (gray(0), 5.3), (gray(0), 4.0), (gray(120), 5.4))
        for image, stamp in images:
            video(image, stamp)
    times, levels = zip(*shown(tmp_path / "new/a.mp4"), strict=True)
    assert times == pytest.approx((0.0, 0.3, 0.4), abs=1e-3)
    assert levels == pytest.approx((40.0, 200.0, 120.0), abs=6.0)


def test_a_file_name_without_a_video_extension_is_rejected(tmp_path: Path) -> None:
    message = r"'.*a\.txt' cannot be written as a video: give a name that ends in \.mp4"
    with pytest.raises(ValueError, match=message), display.Video(tmp_path / "a.txt") as video:
        video(gray(0), 0.0)
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_old_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("old")

    def fail() -> None:
        with display.Video(tmp_path / "a.mp4") as video:
            video(gray(0), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
