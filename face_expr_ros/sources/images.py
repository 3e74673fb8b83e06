"""A folder of images, or one image, as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from face_expr_ros.sources.calibration import read_calibration
from face_expr_ros.sources.source_frame import SourceError, SourceFrame, Warn


class ImagesSource:
    """Images in the order of their names; unreadable ones are skipped with a warning.

    Raises:
        SourceError: there is no image file.
    """

    can_read_ahead = True

    def __init__(self, path: Path, suffixes: Sequence[str], *, loop: bool, warn: Warn) -> None:
        self._files = _image_files(path, suffixes)
        self._path = path
        self._loop = loop
        self._warn = warn
        self._camera = read_calibration(path)
        self._next = 0
        self._decoded_in_pass = 0

    def read(self, t: float) -> SourceFrame | None:
        """The next readable image; after the last one the first again with ``loop``, otherwise None."""
        while True:
            if self._next == len(self._files):
                if not self._decoded_in_pass:
                    raise SourceError(f"none of the {len(self._files)} images in {self._path} can be decoded")
                if not self._loop:
                    return None
                self._next = self._decoded_in_pass = 0
            file = self._files[self._next]
            self._next += 1
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is not None:
                self._decoded_in_pass += 1
                return SourceFrame(np.asarray(image, dtype=np.uint8), self._camera)
            self._warn(f"{file} cannot be decoded as an image and is skipped")

    def close(self) -> None:
        """Does nothing: no file is kept open."""


def _image_files(path: Path, suffixes: Sequence[str]) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"expected an image file or a folder of images, there is none at {str(path)!r}")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file())
    if not files:
        raise SourceError(f"expected images ({', '.join(suffixes)}) in the folder {str(path)!r}, found none")
    return files
