"""Random and damaged images are decoded to an image of the announced size or refused with a DecodeError."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mutations import damaged

from face_expr_ros.serialization.depth_decoding import decode_depth
from face_expr_ros.serialization.image_decoding import decode_compressed, decode_image
from face_expr_ros.serialization.image_encodings import ENCODINGS, MAX_SIDE, DecodeError
from face_expr_ros.serialization.image_headers import CompressedSizeError, compressed_size
from face_expr_ros.serialization.sixteen_bit import WhiteLevel

SIDES = st.one_of(st.integers(0, 40), st.sampled_from((16383, 16384, 16385, 2**31, 2**32 - 1)))
FORMATS = st.sampled_from((
    "jpeg", "png", "", "rgb8; jpeg compressed bgr8", "bayer_rggb8; jpeg compressed", "bayer_grbg16; png compressed",
    "16UC1; compressedDepth", "32FC1; png", "mono16; png compressed", "\0\xff",
))  # fmt: skip
CHUNK = st.one_of(st.just(b""), st.binary(max_size=64))


def raw_image(draw: st.DrawFn, encodings: st.SearchStrategy[str]) -> SimpleNamespace:
    encoding, width, height = draw(encodings), draw(SIDES), draw(SIDES)
    known = ENCODINGS.get(encoding)
    row = width * (known.channels * known.bits // 8 if known else 4)
    step = max(0, row + draw(st.integers(-2, 9)))
    rows = int(height * (1 + (known.chroma_rows if known else 0)))
    size = max(0, step * rows + draw(st.sampled_from((0, 0, 0, 1, -1, step))))
    data = bytes(min(size, 4096)) if size > 4096 else draw(st.binary(min_size=size, max_size=size))
    header = SimpleNamespace(frame_id=draw(st.sampled_from(("camera", ""))), stamp=SimpleNamespace(sec=1, nanosec=2))
    big = draw(st.integers(0, 255))
    return SimpleNamespace(
        encoding=encoding, width=width, height=height, step=step, data=data, is_bigendian=big, header=header
    )


raw_images = st.composite(raw_image)


@given(raw_images(st.one_of(st.sampled_from(sorted(ENCODINGS)), st.text(max_size=12))))
def test_raw_images_have_the_announced_size_or_are_refused(message: SimpleNamespace) -> None:
    try:
        image = decode_image(message, WhiteLevel())
    except DecodeError:
        return
    assert image.shape == (message.height, message.width, 3)
    assert image.dtype == np.uint8


@given(raw_images(st.sampled_from(("16UC1", "32FC1", "mono16", "8UC1"))), st.integers(1, 64), st.integers(1, 64))
def test_depth_images_have_the_announced_size_or_are_refused(message: SimpleNamespace, width: int, height: int) -> None:
    try:
        depth = decode_depth(message, "camera", width, height)
    except DecodeError:
        return
    assert depth.values.shape == (message.height, message.width)


def encoded(extension: str, depth: int, width: int = 64, height: int = 48, channels: int = 3) -> bytes:
    rng = np.random.default_rng(7)
    shape = (height, width, channels) if channels > 1 else (height, width)
    image = rng.integers(0, 2**depth, shape, np.uint16).astype(np.uint8 if depth == 8 else np.uint16)
    return cv2.imencode(extension, image)[1].tobytes()


KINDS = {"jpeg": (".jpg", 8), "png": (".png", 8), "deep png": (".png", 16)}
SHAPES = {"": (64, 48), " 1x1": (1, 1), " 16384x1": (16384, 1), " 1x16384": (1, 16384), " 17x9": (17, 9)}
FILES = {f"{kind}{shape}": encoded(*KINDS[kind], *SHAPES[shape]) for kind in KINDS for shape in SHAPES}
FILES |= {"gray jpeg": encoded(".jpg", 8, channels=1), "png with alpha": encoded(".png", 8, channels=4)}
MAX_PIXELS = 2**22  # of the images that are decoded: larger ones take seconds


def decoded_or_refused(data: bytes, kind: str) -> None:
    try:
        image = decode_compressed(SimpleNamespace(format=kind, data=data), WhiteLevel())
    except DecodeError:
        return
    width, height = compressed_size(data)
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8


def is_small(data: bytes) -> bool:
    try:
        width, height = compressed_size(data)
    except CompressedSizeError:
        return True
    return width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_have_the_size_of_their_header_or_are_refused(name: str) -> None:
    @settings(max_examples=settings().max_examples // (1 if name in KINDS else 5))
    @given(damaged(FILES[name]).filter(is_small), FORMATS, CHUNK)
    def check(data: bytes, kind: str, tail: bytes) -> None:
        decoded_or_refused(data + tail, kind)

    check()


LENGTHS = st.one_of(st.integers(0, 70), st.sampled_from((255, 256, 2048, 16383, 16384, 16385, 65535)))


@given(st.sampled_from(["jpeg", "png", "deep png"]), LENGTHS, LENGTHS, st.integers(1, 4096))
def test_files_with_another_size_in_their_header_are_refused(name: str, width: int, height: int, cut: int) -> None:
    data = bytearray(FILES[name])
    if name == "jpeg":
        place = next(k for k in range(len(data)) if data[k] == 0xFF and data[k + 1] == 0xC0) + 5
        struct.pack_into(">HH", data, place, height, width)
    else:
        struct.pack_into(">II", data, 16, width, height)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    if width * height <= MAX_PIXELS or max(width, height) > MAX_SIDE:
        decoded_or_refused(bytes(data), name)
        decoded_or_refused(bytes(data[: -cut % len(data)]), name)
