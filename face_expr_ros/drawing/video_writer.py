"""Encoding of drawn images as a video file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2


@contextmanager
def video_writer(path: Path, rate: float, size: tuple[int, int], target: Path) -> Iterator[cv2.VideoWriter]:
    """An encoder for BGR images, whose file is complete when the context is left.

    Args:
        path: the mp4 file to write, see `atomic_path`.
        rate: frames per second.
        size: width and height in pixels.
        target: the file name for error messages.

    Raises:
        ValueError: no video format belongs to the suffix of ``path``.
        OSError: the file is incomplete, for example because the disk is full, which OpenCV does not report.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    try:
        if not writer.isOpened():
            raise ValueError(f"{str(target)!r} cannot be written as a video: give a name that ends in .mp4")
        yield writer
    finally:
        writer.release()
    written = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    complete = written.isOpened()  # the index at the end of the file is read
    written.release()
    if not complete:
        raise OSError(f"{str(target)!r} could not be written completely: check the free space of the disk")
