"""A video file as a source."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from face_expr_ros.sources.calibration import read_calibration
from face_expr_ros.sources.file_kinds import refuse_image
from face_expr_ros.sources.source_frame import SourceError, SourceFrame, Warn
from face_expr_ros.sources.unsafe_codecs import open_video_file
from face_expr_ros.sources.video_times import VideoTimes

COMPLETE = 0.9  # share of the container's duration or frame count; some containers count a few frames too many
MAX_RATE = 240.0  # frames per second; a higher rate in a header is the resolution of the time stamps
# Clockwise rotation in degrees, from the container's display matrix, that makes a frame upright.
ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class VideoSource:
    """Frames of a video file in order, upright as a player shows them, with the times of the container.

    Phones store frames as the sensor delivers them, with a display matrix that says how to rotate them. A calibration
    file refers to the upright frames. The times of a repeated video continue after those of the previous pass.

    Raises:
        SourceError: there is no such file, or no frame of it can be decoded.
    """

    can_read_ahead = True

    def __init__(self, path: Path, *, loop: bool, warn: Warn) -> None:
        if not path.is_file():
            raise SourceError(
                f"expected synthetic, device:N, a video file or a folder of images, there is no file {str(path)!r}"
            )
        refuse_image(path)
        self._path = path
        self._loop = loop
        self._warn = warn
        self._camera = read_calibration(path)
        self._capture = self._open()
        self._rotation = ROTATIONS.get(round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)
        self._times = VideoTimes(self.rate)
        self._decoded = 0

    @property
    def rate(self) -> float:
        """Frames per second according to the container; 0 if unknown, as in recordings of browsers."""
        rate = self._header_rate
        return rate if 0.0 < rate <= MAX_RATE else 0.0

    @property
    def frame_count(self) -> int | None:
        """Number of frames according to the container, which may be slightly too high; None if unknown."""
        return self._header_count or None if self.rate else None

    @property
    def duration(self) -> float | None:
        """Duration in seconds according to the container; None if unknown, as in recordings of browsers."""
        rate, count = self._header_rate, self._header_count
        return count / rate if rate > 0.0 and count else None

    def read(self, t: float) -> SourceFrame | None:
        """The next frame; after the last one the first again with ``loop``, otherwise None."""
        good, image = self._capture.read()
        if not good:
            self._check_end()
            if not self._loop:
                return None
            self._capture.release()
            self._capture = self._open()
            self._times.repeat()
            self._decoded = 0
            good, image = self._capture.read()
        if not good:
            raise SourceError(f"{self._path} can no longer be read")
        self._decoded += 1
        if self._rotation is not None:
            image = cv2.rotate(image, self._rotation)
        time = self._times(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e-3)
        return SourceFrame(np.asarray(image, dtype=np.uint8), self._camera, time=time)

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    @property
    def _header_rate(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_FPS))

    @property
    def _header_count(self) -> int:
        return max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def _open(self) -> cv2.VideoCapture:
        capture = open_video_file(self._path)
        if not capture.isOpened():
            raise SourceError(
                f"{self._path} cannot be read as a video: it is damaged, or FFmpeg does not support its format"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # whether OpenCV rotates by itself depends on its version
        return capture

    def _check_end(self) -> None:
        if not self._decoded:
            raise SourceError(f"{self._path} is damaged: no frame can be decoded")
        if self._times.irregular:
            self._warn(
                f"{self._path}: {self._times.irregular} of {self._decoded} frames have no increasing time stamp; "
                "their times continue with the last interval"
            )
        by_time = self._times.end < COMPLETE * (self.duration or 0.0)
        if by_time and self._decoded < COMPLETE * (self.frame_count or self._decoded + 1):
            expected = f"{self._decoded} of {self.frame_count} frames" if self.frame_count else "not all frames"
            self._warn(f"{self._path} ends early: {expected} can be decoded")
        self._warn = _ignore  # warns once


def _ignore(_: str) -> None:
    pass
