"""Image messages of every encoding decode to the original picture; invalid ones are rejected."""

from __future__ import annotations

from array import array
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from face_expr_ros.serialization.image_decoding import decode
from face_expr_ros.serialization.image_encodings import ENCODINGS, DecodeError
from face_expr_ros.serialization.image_headers import JPEG_END
from face_expr_ros.serialization.sixteen_bit import WhiteLevel

HEIGHT, WIDTH = 24, 32
PADDING = 12  # bytes after each row
EXACT, ROUNDING, CHROMA, MOSAIC = 0, 1, 5, 6  # gray levels lost by the encoding itself


def picture() -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3) BGR, smooth, all channels different, no level near 0 or 255."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    channels = (60 + 3 * x + y, 200 - 2 * x - y, 90 + 2 * y + x)
    return np.stack(channels, axis=-1).astype(np.uint8)


def gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image[:, :, 1:2], 3, axis=2)


def luma_chroma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) Y, U, V of ITU-R BT.601, limited range."""
    blue, green, red = np.moveaxis(image.astype(float), -1, 0)
    luma = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    return np.stack([luma, u, v], axis=-1).round().astype(np.uint8)


def packed_422(image: NDArray[np.uint8], luma_first: bool) -> NDArray[np.uint8]:
    yuv = luma_chroma(image)
    chroma = np.where(np.arange(WIDTH) % 2 == 0, yuv[:, :, 1], yuv[:, :, 2])
    pair = (yuv[:, :, 0], chroma) if luma_first else (chroma, yuv[:, :, 0])
    return np.stack(pair, axis=-1)


def two_planes(image: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    yuv = luma_chroma(image)
    chroma = yuv[::2, ::2, [first, 3 - first]].reshape(HEIGHT // 2, WIDTH)
    return np.concatenate([yuv[:, :, 0], chroma])


def mosaic(image: NDArray[np.uint8], pattern: str) -> NDArray[np.uint8]:
    """A Bayer mosaic; the pattern lists the channels of two rows of two pixels from the top left."""
    result = np.empty((HEIGHT, WIDTH), np.uint8)
    for place, color in enumerate(pattern):
        row, column = divmod(place, 2)
        result[row::2, column::2] = image[row::2, column::2, "bgr".index(color)]
    return result


def sixteen_bits(values: NDArray[np.uint8], order: str) -> NDArray[np.uint16]:
    return (values.astype(np.uint16) * 257).astype(f"{order}u2")


def message(encoding: str, rows: NDArray[np.generic], padding: int = 0, bigendian: bool = False) -> Image:
    """An Image whose rows are followed by ``padding`` bytes of noise."""
    row_bytes = np.frombuffer(rows.tobytes(), np.uint8).reshape(len(rows), -1)
    noise = np.full((len(rows), padding), 0xA5, np.uint8)
    data = np.concatenate([row_bytes, noise], axis=1)
    return Image(
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        is_bigendian=bigendian,
        step=data.shape[1],
        data=array("B", data.tobytes()),
    )


class SixteenBits(WhiteLevel):
    """The white level of images that use all 16 bits."""

    def update(self, values: NDArray[Any]) -> float:
        return 65535.0


BGR = picture()
OPAQUE = np.full((HEIGHT, WIDTH, 1), 77, np.uint8)
# encoding: (rows of the message, the expected picture, tolerance in gray levels)
CASES: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8], int]] = {
    "bgr8": (BGR, BGR, EXACT),
    "8UC3": (BGR, BGR, EXACT),
    "rgb8": (BGR[:, :, ::-1], BGR, EXACT),
    "bgra8": (np.concatenate([BGR, OPAQUE], axis=2), BGR, EXACT),
    "8UC4": (np.concatenate([BGR, OPAQUE], axis=2), BGR, EXACT),
    "rgba8": (np.concatenate([BGR[:, :, ::-1], OPAQUE], axis=2), BGR, EXACT),
    "mono8": (BGR[:, :, 1], gray(BGR), EXACT),
    "8UC1": (BGR[:, :, 1], gray(BGR), EXACT),
    "mono16": (BGR[:, :, 1], gray(BGR), ROUNDING),
    "bgr16": (BGR, BGR, ROUNDING),
    "16UC3": (BGR, BGR, ROUNDING),
    "rgb16": (BGR[:, :, ::-1], BGR, ROUNDING),
    "yuv422": (packed_422(BGR, luma_first=False), BGR, CHROMA),
    "uyvy": (packed_422(BGR, luma_first=False), BGR, CHROMA),
    "yuv422_yuy2": (packed_422(BGR, luma_first=True), BGR, CHROMA),
    "yuyv": (packed_422(BGR, luma_first=True), BGR, CHROMA),
    "nv12": (two_planes(BGR, first=1), BGR, CHROMA + 1),
    "nv21": (two_planes(BGR, first=2), BGR, CHROMA + 1),
    **{
        f"bayer_{pattern}{bits}": (mosaic(BGR, pattern), BGR, MOSAIC)
        for pattern in ("rggb", "bggr", "gbrg", "grbg")
        for bits in (8, 16)
    },
}


def assert_same_picture(given: NDArray[np.uint8], expected: NDArray[np.uint8], tolerance: int) -> None:
    assert given.shape == expected.shape
    assert given.dtype == np.uint8
    assert given.flags.c_contiguous
    margin = 2  # demosaicing is less accurate at the border
    inside = (slice(margin, -margin), slice(margin, -margin))
    difference = np.abs(given.astype(int) - expected.astype(int))[inside if tolerance >= MOSAIC else slice(None)]
    assert difference.max() <= tolerance


def test_every_supported_encoding_is_tested() -> None:
    assert CASES.keys() == ENCODINGS.keys()


@pytest.mark.parametrize("padding", [0, PADDING])
@pytest.mark.parametrize("encoding", CASES)
def test_each_encoding_decodes_to_the_original_picture(encoding: str, padding: int) -> None:
    rows, expected, tolerance = CASES[encoding]
    orders = {False: "<", True: ">"}
    for bigendian, order in orders.items():
        data = sixteen_bits(rows, order) if ENCODINGS[encoding].bits == 16 else rows
        image = message(encoding, data, padding, bigendian)
        assert_same_picture(decode(image, SixteenBits()), expected, tolerance)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "bayer_grbg16"])
def test_an_image_of_fewer_bits_is_as_bright_as_one_of_eight(encoding: str, bits: int) -> None:
    rows = CASES[encoding][0].astype(np.float64)
    rows *= 255 / rows.max()
    deep = np.round(rows * ((1 << bits) - 1) / 255).astype("<u2")
    wanted = decode(message(encoding[:-2] + "8", np.round(rows).astype(np.uint8)))
    assert_same_picture(decode(message(encoding, deep)), wanted, 4)


def test_the_noise_of_a_dark_image_is_not_amplified() -> None:
    assert decode(message("mono16", np.full((HEIGHT, WIDTH), 100, "<u2"))).max() <= 25


def test_the_white_level_adapts_slowly() -> None:
    white = WhiteLevel()
    dim, bright = (message("mono16", np.full((HEIGHT, WIDTH), level, "<u2")) for level in (2000, 4000))
    assert decode(dim, white).max() == 255
    levels = [int(decode(dim if number else bright, white).max()) for number in range(120)]
    steps = np.abs(np.diff(levels[1:]))
    assert steps.max() <= 10  # gray levels per image, after one bright image
    assert levels[-1] >= 250


def test_bgr8_without_padding_is_a_view_of_the_message() -> None:
    image = message("bgr8", BGR)
    assert np.shares_memory(decode(image), np.frombuffer(image.data, np.uint8))


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_a_depth_image_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(
        DecodeError, match=f"got a depth image of encoding '{encoding}': remap image to the color image"
    ):
        decode(Image(encoding=encoding, width=2, height=2))
    for form in (f"{encoding}; compressedDepth png", f"{encoding}; png compressed "):
        with pytest.raises(DecodeError, match="got a depth image of encoding"):
            decode(CompressedImage(format=form, data=compressed(".png").data))


def test_16_bit_extremes_decode_to_white_and_black() -> None:
    rows = np.zeros((HEIGHT, WIDTH), np.uint16)
    rows[0] = 65535
    assert decode(message("mono16", rows))[0].min() == 255
    assert decode(message("mono16", rows))[1].max() == 0


BAD_IMAGES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown encoding": ({"encoding": "64FC1"}, "got '64FC1'"),
    "empty encoding": ({"encoding": ""}, "got ''"),
    "zero width": ({"width": 0}, "got 0 x 24 pixels"),
    "zero height": ({"height": 0}, "got 32 x 0 pixels"),
    "absurd size": ({"width": 2**31, "step": 2**32 - 1}, "from 1 to 16384 pixels, got 2147483648 x 24"),
    "step too small": ({"step": 95}, "expected a step of at least 96 bytes for 32 pixels of bgr8, got 95"),
    "step zero": ({"step": 0}, "a step of at least 96 bytes"),
    "step too large": ({"step": 100}, "expected 2400 bytes of data for 24 rows of 100 bytes, got 2304"),
    "data too short": ({"data": array("B", bytes(2303))}, "expected 2304 bytes of data"),
    "data too long": ({"data": array("B", bytes(2305))}, "got 2305"),
    "no data": ({"data": array("B")}, "got 0"),
    "odd width": ({"encoding": "yuv422", "width": 31}, "expected an even width for yuv422, got 31"),
    "odd height": ({"encoding": "nv12", "height": 23}, "expected an even height for nv12, got 23"),
    "plane missing": ({"encoding": "nv12", "step": 96}, "expected 3456 bytes of data for 36 rows"),
}


@pytest.mark.parametrize("change", BAD_IMAGES)
def test_an_invalid_image_is_rejected_with_the_reason(change: str) -> None:
    fields, words = BAD_IMAGES[change]
    image = message("bgr8", BGR)
    for name, value in fields.items():
        setattr(image, name, value)
    with pytest.raises(DecodeError) as refused:
        decode(image)
    assert words in str(refused.value)


def compressed(suffix: str, image: NDArray[np.generic] = BGR, name: str = "") -> CompressedImage:
    good, data = cv2.imencode(suffix, image)
    assert good
    return CompressedImage(format=name or suffix.strip("."), data=array("B", data.tobytes()))


def mosaic_jpeg(name: str) -> CompressedImage:
    """A Bayer mosaic as image_transport compresses it: as a gray image."""
    good, data = cv2.imencode(".jpg", mosaic(GENTLE, "rggb"), [cv2.IMWRITE_JPEG_QUALITY, 100])
    assert good
    return CompressedImage(format=name, data=array("B", data.tobytes()))


def unterminated(image: CompressedImage) -> CompressedImage:
    assert bytes(image.data[-2:]) == JPEG_END
    return CompressedImage(format=image.format, data=image.data[:-2])


GENTLE = (110 + BGR // 8).astype(np.uint8)  # colors whose mosaic survives JPEG
TWELVE_BITS = np.round(BGR[:, :, 1] * (4095 / BGR[:, :, 1].max())).astype(np.uint16)
ALPHA = np.concatenate([BGR, OPAQUE], axis=2)
COMPRESSED = {
    "jpeg": (compressed(".jpg", name="jpeg"), BGR, 12),
    "jpeg of image_transport": (compressed(".jpg", name="bgr8; jpeg compressed bgr8"), BGR, 12),
    "jpeg that calls itself png": (compressed(".jpg", name="png"), BGR, 12),
    "jpeg with zeros behind its end": (compressed(".jpg", name="jpeg"), BGR, 12),
    "gray jpeg": (compressed(".jpg", BGR[:, :, 1]), gray(BGR), 12),
    "png": (compressed(".png"), BGR, EXACT),
    "png of image_transport": (compressed(".png", name="rgb8; png compressed bgr8"), BGR, EXACT),
    "gray png": (compressed(".png", BGR[:, :, 1]), gray(BGR), EXACT),
    "png with alpha": (compressed(".png", ALPHA), BGR, EXACT),
    "12-bit png": (
        compressed(".png", TWELVE_BITS),
        gray((BGR * (255.0 / BGR[:, :, 1].max())).clip(0, 255).astype(np.uint8)),
        ROUNDING,
    ),
    "jpeg of a Bayer mosaic": (mosaic_jpeg("bayer_rggb8; jpeg compressed "), GENTLE, 12),
    "jpeg of a 16-bit Bayer mosaic": (mosaic_jpeg("bayer_rggb16; jpeg compressed "), GENTLE, 12),
    "color jpeg of a Bayer mosaic": (compressed(".jpg", name="bayer_rggb8; jpeg compressed bgr8"), BGR, 12),
    "jpeg without end marker": (unterminated(compressed(".jpg")), BGR, 12),
    "dark jpeg without end marker": (unterminated(compressed(".jpg", 0 * BGR)), 0 * BGR, EXACT),
}
COMPRESSED["jpeg with zeros behind its end"][0].data.extend(bytes(64))


@pytest.mark.parametrize("case", COMPRESSED)
def test_a_compressed_image_decodes_to_the_original_picture(case: str) -> None:
    image, expected, tolerance = COMPRESSED[case]
    assert_same_picture(decode(image), expected, tolerance)


def cut(image: CompressedImage, share: float) -> CompressedImage:
    return CompressedImage(format=image.format, data=image.data[: int(len(image.data) * share)])


@pytest.mark.parametrize(
    ("suffix", "share"),
    [(".jpg", share) for share in (0.0, 0.01, 0.3, 0.6, 0.8)]
    + [(".png", share) for share in (0.0, 0.01, 0.3, 0.9, 0.99)],
)
def test_a_truncated_image_is_rejected_and_the_next_one_decoded(suffix: str, share: float) -> None:
    good = compressed(suffix)
    with pytest.raises(DecodeError, match="expected a"):
        decode(cut(good, share))
    assert decode(good).shape == BGR.shape


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_large_truncated_jpeg_is_refused_even_where_it_is_dark(share: float) -> None:
    rows = np.random.default_rng(0).integers(0, 60, (480, 640), np.uint8)
    for pixels in (rows, np.where(np.arange(480)[:, None] < 240, rows, 0).astype(np.uint8)):
        image = compressed(".jpg", cv2.GaussianBlur(pixels, (5, 5), 0))
        assert decode(unterminated(image)).shape == (480, 640, 3)
        with pytest.raises(DecodeError, match="got damaged or truncated data"):
            decode(cut(image, share))


def test_a_damaged_image_is_rejected() -> None:
    image = compressed(".png")
    middle = len(image.data) // 2
    image.data[middle : middle + 40] = array("B", bytes(40))
    with pytest.raises(DecodeError, match="expected an undamaged PNG image"):
        decode(image)


def test_data_of_another_format_are_rejected() -> None:
    with pytest.raises(DecodeError, match="expected a JPEG or PNG image, got format 'jpeg' with 9 bytes"):
        decode(CompressedImage(format="jpeg", data=array("B", b"not a jpg")))
