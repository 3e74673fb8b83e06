"""The encodings of sensor_msgs images, as a table of OpenCV conversions, and what all decoders check."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
MAX_SIDE = 16384  # pixels; a larger value indicates a damaged message and would allocate gigabytes
_DEPTH_ENCODINGS = ("16UC1", "32FC1")  # of depth images, in millimeters and in meters (REP 118)


class DecodeError(ValueError):
    """An image message that cannot be decoded; the message says what was expected and what it contains."""


class UnknownEncodingError(DecodeError):
    """The table does not contain the encoding; cv_bridge may support it."""


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
BAYER = {
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
    "bgr16": Encoding(3, None, bits=16),
    "16UC3": Encoding(3, None, bits=16),
    "rgb16": Encoding(3, cv2.COLOR_RGB2BGR, bits=16),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Encoding(1, cv2.COLOR_YUV2BGR_NV12, even=("width", "height"), chroma_rows=0.5),
    "nv21": Encoding(1, cv2.COLOR_YUV2BGR_NV21, even=("width", "height"), chroma_rows=0.5),
    **{f"{name}8": Encoding(1, code) for name, code in BAYER.items()},
    **{f"{name}16": Encoding(1, code, bits=16) for name, code in BAYER.items()},
}


def check_no_depth_image(encoding: str) -> None:
    """Raises DecodeError if the encoding is one of depth images."""
    if encoding in _DEPTH_ENCODINGS:
        raise DecodeError(
            f"expected a color, gray or infrared image, got a depth image of encoding {encoding!r}: "
            "remap image to the color image, and depth/image to the depth image"
        )


def check_side_lengths(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DecodeError(f"expected a width and height from 1 to {MAX_SIDE} pixels, got {width} x {height} pixels")
