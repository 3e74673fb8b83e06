"""The latest image of a source that does not wait: a camera or a network stream."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.sources.source_frame import SourceError, SourceFrame

TIMEOUT = 5.0  # seconds without an image after which the source counts as disconnected


class LiveCapture:
    """The latest image of an open capture: a thread empties its queue, so that no outdated image is returned.

    Args:
        name: of the source, for errors.
        capture: an open capture, which is released by `close`.
        period: minimum time between two images in seconds; 0 for sources that keep their own time.
    """

    can_read_ahead = False

    def __init__(self, name: str, capture: cv2.VideoCapture, period: float = 0.0) -> None:
        self._name = name
        self._capture = capture
        self._period = period
        self._latest: NDArray[np.uint8] | None = None
        self._open = True
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._empty_queue, name=name, daemon=True)
        self._thread.start()

    def read(self, t: float) -> SourceFrame:
        """The latest image; waits for one that was not returned before."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not None or not self._open, TIMEOUT)
            image, self._latest = self._latest, None
        if image is None:
            raise SourceError(f"no image from {self._name} for {TIMEOUT:g} s: check that it is still connected")
        return SourceFrame(image)

    def close(self) -> None:
        """Release the capture."""
        with self._changed:
            self._open = False
        self._stopped.set()
        self._thread.join(TIMEOUT)
        self._capture.release()

    def _empty_queue(self) -> None:
        while self._open:
            good, image = self._capture.read()
            with self._changed:
                self._open &= good
                if good:
                    self._latest = np.asarray(image, dtype=np.uint8)
                self._changed.notify_all()
            if self._period:
                self._stopped.wait(self._period)
