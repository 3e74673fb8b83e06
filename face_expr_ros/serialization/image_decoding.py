"""Decodes sensor_msgs images to BGR arrays, by a table of OpenCV conversions.

Messages may come from ROS or from a bag: any object with the same fields. ROS is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.serialization.image_headers import CompressedSizeError, compressed_size

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image

Bgr = NDArray[np.uint8]
MAX_SIDE = 16384  # pixels; a larger value indicates a damaged message and would allocate gigabytes


class DecodeError(ValueError):
    """An image message that cannot be decoded; the message says what was expected and what it contains."""


@dataclass(frozen=True)
class Encoding:
    """How an encoding is converted to BGR.

    Attributes:
        channels: values per pixel.
        conversion: OpenCV's code to BGR; None if the channels are already BGR.
        bits: per value.
        even: which of "width" and "height" must be even.
        chroma_rows: rows of the chroma plane below the image, per image row.
    """

    channels: int
    conversion: int | None
    bits: int = 8
    even: tuple[str, ...] = ()
    chroma_rows: float = 0.0


_UYVY = Encoding(2, cv2.COLOR_YUV2BGR_UYVY, even=("width",))
_YUYV = Encoding(2, cv2.COLOR_YUV2BGR_YUY2, even=("width",))
# ROS names a Bayer pattern by its first two rows; so do OpenCV's long names.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerRGGB2BGR,
    "bayer_bggr": cv2.COLOR_BayerBGGR2BGR,
    "bayer_gbrg": cv2.COLOR_BayerGBRG2BGR,
    "bayer_grbg": cv2.COLOR_BayerGRBG2BGR,
}
ENCODINGS: dict[str, Encoding] = {
    "bgr8": Encoding(3, None),
    "8UC3": Encoding(3, None),
    "rgb8": Encoding(3, cv2.COLOR_RGB2BGR),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2BGR),
    "8UC4": Encoding(4, cv2.COLOR_BGRA2BGR),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2BGR),
    "mono8": Encoding(1, cv2.COLOR_GRAY2BGR),
    "8UC1": Encoding(1, cv2.COLOR_GRAY2BGR),
    "mono16": Encoding(1, cv2.COLOR_GRAY2BGR, bits=16),
    "16UC1": Encoding(1, cv2.COLOR_GRAY2BGR, bits=16),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Encoding(1, cv2.COLOR_YUV2BGR_NV12, even=("width", "height"), chroma_rows=0.5),
    "nv21": Encoding(1, cv2.COLOR_YUV2BGR_NV21, even=("width", "height"), chroma_rows=0.5),
    **{f"{name}8": Encoding(1, code) for name, code in _BAYER.items()},
    **{f"{name}16": Encoding(1, code, bits=16) for name, code in _BAYER.items()},
}


def decode(message: Image | CompressedImage) -> Bgr:
    """A raw or a compressed image as (height, width, 3) uint8 BGR; see the two functions below."""
    return decode_image(message) if hasattr(message, "encoding") else decode_compressed(message)


def decode_image(message: Image) -> Bgr:
    """A raw image as (height, width, 3) uint8 BGR, C-contiguous.

    bgr8 without padding is a view of the message's bytes, every other encoding a new array. 16-bit values are scaled
    from 0..65535 to 0..255, as cv_bridge does.

    Raises:
        DecodeError: encoding, size, step and length are inconsistent.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise DecodeError(f"expected an encoding of {', '.join(ENCODINGS)}, got {message.encoding!r}")
    _check_size(message.width, message.height, encoding, message.encoding)
    pixels = np.ascontiguousarray(_pixels(message, encoding))
    if encoding.conversion is None:
        return pixels
    image = cv2.cvtColor(pixels, encoding.conversion)
    return np.asarray(cv2.convertScaleAbs(image, alpha=255 / 65535) if encoding.bits == 16 else image, dtype=np.uint8)


def decode_compressed(message: CompressedImage) -> Bgr:
    """A JPEG or PNG image as (height, width, 3) uint8 BGR; 16-bit PNG keeps its high byte, alpha is dropped.

    The format is detected from the bytes: ``format`` differs between publishers ("jpeg", "bgr8; jpeg compressed bgr8").

    Raises:
        DecodeError: the data is not a complete JPEG or PNG image, or the image is too large.
    """
    data = bytes(message.data)
    try:
        width, height = compressed_size(data)
    except CompressedSizeError as error:
        raise DecodeError(f"{error}, got format {message.format!r} with {len(data)} bytes") from error
    _check_side_lengths(width, height)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise DecodeError(
            f"expected a complete JPEG or PNG image, got damaged data: {message.format!r}, {len(data)} bytes"
        )
    return np.asarray(image, dtype=np.uint8)


def _check_size(width: int, height: int, encoding: Encoding, name: str) -> None:
    _check_side_lengths(width, height)
    for side, length in (("width", width), ("height", height)):
        if side in encoding.even and length % 2:
            raise DecodeError(f"expected an even {side} for {name}, got {length}")


def _check_side_lengths(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DecodeError(f"expected a width and height from 1 to {MAX_SIDE} pixels, got {width} x {height} pixels")


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
