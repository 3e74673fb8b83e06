"""Reading image files: OpenCV's formats, and those of Pillow and its plugins where they are installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.native_output import native_output_hidden
from face_expr_ros.sources.file_kinds import file_format
from face_expr_ros.sources.source_frame import SourceError

OPENCV_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
PILLOW_SUFFIXES = (".gif", ".avif", ".heic", ".heif")
IMAGE_SUFFIXES = OPENCV_SUFFIXES + PILLOW_SUFFIXES
FORMATS = "JPEG, PNG, BMP, WebP, TIFF or PPM; with Pillow also GIF and AVIF, with pillow-heif HEIC"
_OPENCV_FORMATS = ("JPEG", "PNG", "BMP", "WebP", "TIFF")
_JPEG_2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")  # a file, a code stream
_INSTALL = "pip install pillow pillow-heif"


def read_image(file: Path) -> NDArray[np.uint8]:
    """An image file as BGR (height, width, 3), upright as its EXIF orientation says; of an animation the first image.

    Raises:
        SourceError: the file is missing or no image, is damaged, or is of a format that needs Pillow or a plugin of it.
    """
    _refuse_jpeg_2000(file)
    with native_output_hidden():  # libpng and libjpeg write to the terminal
        pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if pixels is not None:
        return np.asarray(pixels, dtype=np.uint8)
    kind = file_format(file)
    if kind is not None and kind[1] == "video":
        raise SourceError(f"expected an image, got the {kind[0]} video {str(file)!r}: use face_expr video")
    if kind is None:
        raise SourceError(f"expected an image file ({FORMATS}), {str(file)!r} cannot be decoded as an image")
    if kind[0] in _OPENCV_FORMATS:
        raise SourceError(f"the {kind[0]} image {str(file)!r} is damaged and cannot be decoded")
    return _read_with_pillow(file, kind[0])


def _refuse_jpeg_2000(file: Path) -> None:
    """Its decoder in OpenCV 4.10 and 4.11 writes outside its memory for crafted files (CVE-2025-53644)."""
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except FileNotFoundError as error:
        raise SourceError(f"expected an image file, got {str(file)!r}, which is missing") from error
    except OSError as error:
        raise SourceError(f"the image file {str(file)!r} cannot be read: {error.strerror}") from error
    if head.startswith(_JPEG_2000):
        raise SourceError(f"expected an image file ({FORMATS}), {str(file)!r} is a JPEG 2000 image")


def image_files(folder: Path) -> list[Path]:
    """The images in a folder by their suffix, sorted by name; hidden files and folders are left out.

    Raises:
        SourceError: there are none.
    """
    return files_in(folder, IMAGE_SUFFIXES, "images")


def files_in(folder: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    """The files in a folder with one of the lower-case ``suffixes``, sorted by name; ``what`` is for the error.

    Raises:
        SourceError: there are none.
    """
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and file.is_file() and not file.name.startswith(".")
    )
    if not files:
        raise SourceError(f"expected {what} ({', '.join(suffixes)}) in the folder {str(folder)!r}, found none")
    return files


def _read_with_pillow(file: Path, name: str) -> NDArray[np.uint8]:
    if find_spec("PIL") is None:
        raise SourceError(f"reading the {name} image {str(file)!r} requires Pillow: {_INSTALL}")
    from PIL import Image, ImageOps, UnidentifiedImageError

    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise SourceError(
            f"the {name} image {str(file)!r} cannot be decoded: it is damaged, or a plugin of Pillow is missing "
            f"({_INSTALL})"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SourceError(f"the {name} image {str(file)!r} cannot be decoded: {error}") from error
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])
