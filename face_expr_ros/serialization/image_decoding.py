"""Decodes sensor_msgs images to BGR arrays, by a table of OpenCV conversions.

Messages may come from ROS or from a bag: any object with the same fields. ROS is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.serialization.compressed_decoding import decode_compressed
from face_expr_ros.serialization.image_encodings import (
    ENCODINGS,
    Bgr,
    DecodeError,
    Encoding,
    UnknownEncodingError,
    check_no_depth_image,
    check_side_lengths,
)
from face_expr_ros.serialization.sixteen_bit import WhiteLevel, to_eight_bits, white_level

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image


def decode(message: Image | CompressedImage, white: WhiteLevel | None = None) -> Bgr:
    """A raw or a compressed image as (height, width, 3) uint8 BGR; see `decode_image` and `decode_compressed`."""
    return decode_image(message, white) if hasattr(message, "encoding") else decode_compressed(message, white)


def decode_image(message: Image, white: WhiteLevel | None = None) -> Bgr:
    """A raw image as (height, width, 3) uint8 BGR, C-contiguous.

    bgr8 without padding is a view of the message's bytes, every other encoding a new array. 16-bit values are scaled
    from 0 to the white level to 0..255: sensors deliver 10 or 12 bits in 16.

    Args:
        message: the message.
        white: the white level of 16-bit images of the same camera; None measures that of the image.

    Raises:
        UnknownEncodingError: the encoding is not in the table.
        DecodeError: encoding, size, step and length are inconsistent, or the message is a depth image.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        check_no_depth_image(message.encoding)
        raise UnknownEncodingError(f"expected an encoding of {', '.join(ENCODINGS)}, got {message.encoding!r}")
    _check_size(message.width, message.height, encoding, message.encoding)
    pixels = np.ascontiguousarray(_pixels(message, encoding))
    image = pixels if encoding.conversion is None else np.asarray(cv2.cvtColor(pixels, encoding.conversion))
    if encoding.bits == 8:
        return image
    return to_eight_bits(image, white_level(pixels) if white is None else white.update(pixels))


def _check_size(width: int, height: int, encoding: Encoding, name: str) -> None:
    check_side_lengths(width, height)
    for side, length in (("width", width), ("height", height)):
        if side in encoding.even and length % 2:
            raise DecodeError(f"expected an even {side} for {name}, got {length}")


def _pixels(message: Image, encoding: Encoding) -> NDArray[Any]:
    """A view of the message's rows without their padding: (rows, width) or (rows, width, channels), native endian."""
    pixel_bytes = encoding.channels * encoding.bits // 8
    if message.step < message.width * pixel_bytes:
        raise DecodeError(
            f"expected a step of at least {message.width * pixel_bytes} bytes for {message.width} pixels of "
            f"{message.encoding}, got {message.step}"
        )
    rows = int(message.height * (1 + encoding.chroma_rows))
    if len(message.data) != message.step * rows:
        raise DecodeError(
            f"expected {message.step * rows} bytes of data for {rows} rows of {message.step} bytes, "
            f"got {len(message.data)}"
        )
    kind = np.dtype(np.uint8) if encoding.bits == 8 else np.dtype(">u2" if message.is_bigendian else "<u2")
    shape: tuple[int, ...] = (rows, message.width, encoding.channels)
    strides: tuple[int, ...] = (message.step, pixel_bytes, encoding.bits // 8)
    if encoding.channels == 1:
        shape, strides = shape[:2], strides[:2]
    view: NDArray[Any] = np.ndarray(shape, kind, memoryview(message.data), strides=strides)
    return view.astype(np.uint16) if encoding.bits == 16 else view
