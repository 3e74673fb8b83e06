"""Decodes depth images (REP 118): 16UC1 in millimeters, or 32FC1 in meters.

Messages may come from ROS or from a bag: any object with the same fields. ROS is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face_expr_ros.core.types import DepthImage
from face_expr_ros.serialization.image_encodings import DecodeError, check_side_lengths

if TYPE_CHECKING:
    from sensor_msgs.msg import Image

_MAX_ASPECT_ERROR = 0.02
# Type of the values, and meters per value. Some drivers call millimeters mono16.
_ENCODINGS = {"16UC1": ("u2", 0.001), "mono16": ("u2", 0.001), "32FC1": ("f4", 1.0)}


def decode_depth(message: Image, frame_id: str, width: int, height: int) -> DepthImage:
    """A depth image that is aligned with color images of ``width`` x ``height`` pixels in ``frame_id``.

    Raises:
        DecodeError: another frame or aspect, which means that it is not aligned; another encoding, or wrong lengths.
    """
    if message.encoding not in _ENCODINGS:
        raise DecodeError(f"expected a depth image of {', '.join(_ENCODINGS)}, got {message.encoding!r}")
    check_side_lengths(message.width, message.height)
    scales = message.width / width, message.height / height
    if message.header.frame_id != frame_id or abs(scales[0] / scales[1] - 1.0) > _MAX_ASPECT_ERROR:
        raise DecodeError(
            f"expected a depth image that is aligned with the color image, {width} x {height} in {frame_id!r}, got "
            f"{message.width} x {message.height} in {message.header.frame_id!r}"
        )
    kind, unit = _ENCODINGS[message.encoding]
    dtype = np.dtype((">" if message.is_bigendian else "<") + kind)
    if message.step < message.width * dtype.itemsize or len(message.data) != message.step * message.height:
        raise DecodeError(
            f"expected {message.height} rows of at least {message.width * dtype.itemsize} bytes, "
            f"got {len(message.data)} bytes with a step of {message.step}"
        )
    shape, strides = (message.height, message.width), (message.step, dtype.itemsize)
    values = np.ndarray(shape, dtype, memoryview(message.data), strides=strides).astype(dtype.newbyteorder("="))
    stamp = message.header.stamp
    return DepthImage(values, unit, stamp.sec * 1_000_000_000 + stamp.nanosec, (width, height))
