"""PNG images are checked before OpenCV decodes them."""

from __future__ import annotations

import struct
import time
import zlib
from array import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from face_expr_ros.serialization.image_decoding import decode
from face_expr_ros.serialization.image_encodings import DecodeError


def png() -> CompressedImage:
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    return CompressedImage(format="png", data=array("B", cv2.imencode(".png", image)[1].tobytes()))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_bytes_behind_a_png_image_are_ignored() -> None:
    image = png()
    whole = decode(image)
    image.data.frombytes(struct.pack(">I", 2**31 - 1) + b"IDAT" + bytes(60))
    started = time.monotonic()
    assert np.array_equal(decode(image), whole)
    assert time.monotonic() - started < 2.0, "OpenCV reads a chunk of 2 GB for 10 seconds"


def test_an_animated_png_is_rejected() -> None:
    image = png()
    image.data[33:33] = array("B", chunk(b"acTL", struct.pack(">II", 2, 0)))
    with pytest.raises(DecodeError, match="expected a PNG image that is not animated"):
        decode(image)


def test_a_png_header_with_an_excessive_size_is_rejected() -> None:
    image = png()
    header = (2**31 - 1).to_bytes(4, "big") * 2 + bytes(image.data[24:29])
    image.data[8:33] = array("B", chunk(b"IHDR", header))
    with pytest.raises(DecodeError, match="got 2147483647 x 2147483647 pixels"):
        decode(image)
