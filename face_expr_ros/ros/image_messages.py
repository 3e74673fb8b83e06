"""Decoding of image messages in nodes, with cv_bridge for encodings that the package does not support."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from face_expr_ros.serialization.image_decoding import decode
from face_expr_ros.serialization.image_encodings import Bgr, DecodeError, UnknownEncodingError
from face_expr_ros.serialization.sixteen_bit import WhiteLevel

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image


class ImageDecoder:
    """Decodes the images of one camera to (height, width, 3) uint8 BGR."""

    def __init__(self) -> None:
        self._white = WhiteLevel()

    def __call__(self, message: Image | CompressedImage) -> Bgr:
        """The image of a message.

        Raises:
            DecodeError: see `image_decoding.decode`; or cv_bridge, which is used if the encoding is unknown, fails.
        """
        try:
            return decode(message, self._white)
        except UnknownEncodingError as error:
            return _with_cv_bridge(message, error)


def _with_cv_bridge(message: Any, error: UnknownEncodingError) -> Bgr:
    try:
        bridge = importlib.import_module("cv_bridge").CvBridge()
    except ImportError:
        raise DecodeError(f"{error}; installing cv_bridge adds encodings") from error
    try:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, "bgr8"), dtype=np.uint8)
    except Exception as failure:  # CvBridgeError, cv2.error, ValueError: its types differ between versions
        raise DecodeError(f"{error}, which cv_bridge cannot convert either: {failure}") from failure
