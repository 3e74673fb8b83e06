"""Outputs of the demo's annotated images: a window, or a video file on machines without a display."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import atomic_path
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.drawing.video_writer import VideoWriter, check_video, video_writer

MIN_INTERVAL = 1e-3  # seconds: the resolution of times in a webm file
TITLE = "face_expr (q quits)"
Bgr = NDArray[np.uint8]


class ImageSink(Protocol):
    """A context that consumes annotated images; ``closed`` is set when the user closes it."""

    closed: bool

    def __call__(self, image: Bgr, stamp: float) -> None: ...

    def refresh(self) -> None: ...

    def __enter__(self) -> ImageSink: ...

    def __exit__(self, *problem: Any) -> None: ...


def has_display() -> bool:
    """Whether a window can be opened."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Window:
    """An OpenCV window; q, Escape or its close button closes it."""

    def __init__(self) -> None:
        self.closed = False
        self._is_open = False

    def __call__(self, image: Bgr, stamp: float) -> None:
        """Show an image."""
        cv2.imshow(TITLE, image)
        self._is_open = True

    def refresh(self) -> None:
        """Process the window's events."""
        if not self._is_open:
            return
        key = cv2.waitKey(1) & 0xFF
        gone = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        self.closed = self.closed or gone or key in (ord("q"), 27)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *problem: Any) -> None:
        cv2.destroyAllWindows()


class Video:
    """A video file of images that are shown at their stamps.

    A context: the file replaces an older one when the context is left without an error, see `atomic_path`. Images are
    encoded in a separate thread, so that encoding does not delay the messages whose latency is measured.

    Args:
        path: path of the file; missing folders are created.

    Raises:
        ValueError: the file's extension is not that of a video, or PyAV is not installed.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        check_video(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.closed = False
        self._path = path
        self._stack = ExitStack()
        self._draft = self._stack.enter_context(atomic_path(path))
        self._writer: VideoWriter | None = None
        self._first_stamp, self._last_time = 0.0, -1.0
        self._size = (0, 0)
        self._worker = LatestItemWorker(self._write, "video")

    def __call__(self, image: Bgr, stamp: float) -> None:
        """Write an image with its stamp in seconds.

        Images that arrive while the encoder is busy, or less than a millisecond after the last one, are dropped.
        """
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._stack.enter_context(video_writer(self._draft, self._size, self._path, live=True))
            self._first_stamp = stamp
        self._worker.put((image, stamp))

    def refresh(self) -> None:
        """Nothing to do between images."""

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *problem: Any) -> None:
        self._worker.close()
        self._stack.__exit__(*problem)

    def _write(self, item: tuple[Bgr, float]) -> None:
        assert self._writer is not None
        image, stamp = item
        if (image.shape[1], image.shape[0]) != self._size:  # a folder of images of different sizes
            image = np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        time = stamp - self._first_stamp
        if time >= self._last_time + MIN_INTERVAL:
            self._writer.write(image, time)
            self._last_time = time
