"""A folder of images, or one image, as a source."""

from __future__ import annotations

from pathlib import Path

from face_expr_ros.sources.calibration import read_calibration
from face_expr_ros.sources.image_files import image_files, read_image
from face_expr_ros.sources.source_frame import SourceError, SourceFrame, Warn


class ImagesSource:
    """Images in the order of their names; unreadable ones are skipped with a warning.

    Raises:
        SourceError: there is no image file.
    """

    can_read_ahead = True

    def __init__(self, path: Path, *, loop: bool, warn: Warn) -> None:
        self._files = _files(path)
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
            try:
                image = read_image(file)
            except SourceError as error:
                self._warn(f"{error}; it is skipped")
            else:
                self._decoded_in_pass += 1
                return SourceFrame(image, self._camera)

    def close(self) -> None:
        """Does nothing: no file is kept open."""


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"expected an image file or a folder of images, there is none at {str(path)!r}")
    return image_files(path)
