"""Size and form of JPEG and PNG data, from their headers, before decoding.

OpenCV's result for a truncated JPEG depends on its version (an error, or a partly gray image), and it allocates any
size that a header declares.
"""

from __future__ import annotations

import platform
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# Markers with the size: start of frame, all except DHT (C4), JPG (C8) and DAC (CC).
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN_MARKER = 0xDA
_PALETTE = 3  # color type of PNG


class CompressedSizeError(ValueError):
    """The data is not a complete JPEG or PNG image."""


def compressed_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        CompressedSizeError: the data is neither JPEG nor PNG, or truncated before the size; as PNG, also damaged or
            truncated later, animated, or on Arm with a palette, which libpng before 1.6.56 reads outside its memory
            there (CVE-2026-33636).
    """
    if data.startswith(PNG_SIGNATURE):
        return _png_size(data)
    if data.startswith(JPEG_START):
        return _jpeg_size(data)
    raise CompressedSizeError("expected a JPEG or PNG image")


def without_trailing_bytes(data: bytes) -> bytes:
    """The data up to the end of a PNG image; OpenCV 4.11 reads what follows as chunks of up to 4 GB. JPEG is unchanged.

    Raises:
        CompressedSizeError: as `compressed_size`.
    """
    return data[: _png_length(data)] if data.startswith(PNG_SIGNATURE) else data


def _png_size(data: bytes) -> tuple[int, int]:
    _png_length(data)
    if data[25] == _PALETTE and platform.machine().lower() in ("aarch64", "arm64"):
        raise CompressedSizeError("expected a PNG image without a palette")
    # The signature is followed by the chunk IHDR: length, name, width, height, ... (PNG specification, 11.2.2).
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _png_length(data: bytes) -> int:
    """The bytes up to the end of the chunk IEND.

    The checksums of the chunks (PNG specification, 5.3) are compared, because OpenCV 4.11 loops on some damaged files
    for minutes, and animated images are refused, because later versions abort the process on damaged ones.

    Raises:
        CompressedSizeError: a chunk is incomplete or damaged, the palette or its transparency is repeated, or the image
            is animated.
    """
    position, kinds = len(PNG_SIGNATURE), [b""]
    while kinds[-1] != b"IEND":
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data) or (kind == b"IHDR") != (kinds == [b""]):
            raise CompressedSizeError("expected a complete PNG image")
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise CompressedSizeError("expected an undamaged PNG image")
        if kind in (b"PLTE", b"tRNS") and kind in kinds:
            raise CompressedSizeError("expected a PNG image with one palette")
        if kind == b"acTL":
            raise CompressedSizeError("expected a PNG image that is not animated")
        kinds.append(kind)
        position = end + 4
    return position


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Iterates over the segments (ITU T.81, annex B): FF, marker, two bytes of length that include themselves."""
    size = None
    position = len(JPEG_START)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _FRAME_MARKERS:
            height, width = (int.from_bytes(data[position + i : position + i + 2], "big") for i in (5, 7))
            size = width, height
        if marker == _SCAN_MARKER:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    if size is None:
        raise CompressedSizeError("expected a complete JPEG image")
    return size


def lacks_jpeg_end(data: bytes) -> bool:
    """Whether the data is a JPEG image without end marker: truncated, or complete but for the marker."""
    # Within entropy-coded data FF is followed by 00 or a restart marker, so FF D9 is the end.
    return data.startswith(JPEG_START) and data.rfind(JPEG_END) <= data.rfind(b"\xff\xda")


def is_deep_png(data: bytes) -> bool:
    """Whether the data is a PNG image of 16 bits per value."""
    return data.startswith(PNG_SIGNATURE) and data[24:25] == b"\x10"
