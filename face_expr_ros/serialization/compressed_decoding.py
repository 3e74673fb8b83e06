"""Decodes sensor_msgs/CompressedImage: JPEG and PNG as image_transport, cameras and phones produce them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.serialization.image_encodings import (
    BAYER,
    Bgr,
    DecodeError,
    check_no_depth_image,
    check_side_lengths,
)
from face_expr_ros.serialization.image_headers import (
    JPEG_END,
    CompressedSizeError,
    compressed_size,
    is_deep_png,
    lacks_jpeg_end,
    without_trailing_bytes,
)
from face_expr_ros.serialization.sixteen_bit import WhiteLevel, to_eight_bits, white_level

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage

_CORNER = 8, 16  # rows and columns at the bottom right; the decoder fills blocks that are missing with one color
_FILLER = bytes(range(1, 128, 2))  # entropy-coded data that changes the picture where blocks are missing


def decode_compressed(message: CompressedImage, white: WhiteLevel | None = None) -> Bgr:
    """A JPEG or PNG image as (height, width, 3) uint8 BGR; alpha is dropped.

    The compression is detected from the bytes: ``format`` differs between publishers ("jpeg", "bgr8; jpeg compressed
    bgr8"). Of ``format`` only the encoding of the original image is used: image_transport compresses a Bayer mosaic as
    a gray image, and a depth image as well. A JPEG that lacks its end marker, as some webcams deliver, is complete if
    no block is missing.

    Args:
        message: the message.
        white: the white level of 16-bit PNG images of the same camera; None measures that of the image.

    Raises:
        DecodeError: the data is not a complete JPEG or PNG image, the image is too large, or it is a depth image.
    """
    encoding = message.format.partition(";")[0].strip()
    check_no_depth_image("32FC1" if "compressedDepth" in message.format else encoding)
    data = bytes(message.data)
    try:
        check_side_lengths(*compressed_size(data))
        data = without_trailing_bytes(data)
    except CompressedSizeError as error:
        raise DecodeError(f"{error}, got format {message.format!r} with {len(data)} bytes") from error
    pattern = re.fullmatch(r"(bayer_[rgb]{4})(8|16)", encoding)
    image = _pixels(data, cv2.IMREAD_UNCHANGED if pattern else cv2.IMREAD_COLOR, white)
    if image is None:
        kind = "PNG" if data.startswith(b"\x89PNG") else "JPEG"
        raise DecodeError(
            f"expected a complete {kind} image, got damaged or truncated data: {message.format!r}, {len(data)} bytes"
        )
    if pattern and image.ndim == 2 and pattern[1] in BAYER:
        return np.asarray(cv2.cvtColor(image, BAYER[pattern[1]]), dtype=np.uint8)
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _pixels(data: bytes, flags: int, white: WhiteLevel | None) -> NDArray[np.uint8] | None:
    """(height, width) or (height, width, 3) uint8; None if the data is damaged."""
    if lacks_jpeg_end(data):
        image = _decoded(data + JPEG_END, flags)
        return image if image is not None and _has_all_blocks(data, image) else None
    if not is_deep_png(data):
        return _decoded(data, flags)
    deep = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    if deep is None:
        return None
    level = white_level(deep) if white is None else white.update(deep)
    return to_eight_bits(deep, level)


def _decoded(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _has_all_blocks(data: bytes, image: NDArray[np.uint8]) -> bool:
    """Whether a JPEG without end marker is complete: then bytes that are appended do not change the picture."""
    rows, columns = _CORNER
    corner = image[-rows:, -columns:].reshape(-1, image.shape[2] if image.ndim == 3 else 1)
    if (corner != corner[0]).any():
        return True
    small, other = (_decoded(data + filler + JPEG_END, cv2.IMREAD_REDUCED_GRAYSCALE_8) for filler in (b"", _FILLER))
    return small is not None and other is not None and bool(np.array_equal(small, other))
