"""Size and completeness of JPEG and PNG bytes, read from their headers before anything is decoded.

OpenCV's answer to a cut-off JPEG depends on its version (an error, or an image with a gray rest), and it would
allocate whatever size a header claims.
"""

from __future__ import annotations

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# Markers that carry the size: start of frame, all but DHT (C4), JPG (C8) and DAC (CC).
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN_MARKER = 0xDA


class CompressedSizeError(ValueError):
    """The bytes are no complete JPEG or PNG image."""


def compressed_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        CompressedSizeError: neither JPEG nor PNG, or the end is missing.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png_size(data)
    if data.startswith(JPEG_START):
        return _jpeg_size(data)
    raise CompressedSizeError("a JPEG or PNG image was wanted")


def _png_size(data: bytes) -> tuple[int, int]:
    # The signature is followed by the chunk IHDR: length, name, width, height, ... (PNG specification, 11.2.2).
    if data[12:16] != b"IHDR" or b"IEND" not in data[-64:]:
        raise CompressedSizeError("a complete PNG image was wanted")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks the segments (ITU T.81, annex B): FF, marker, two bytes of length that count themselves."""
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
    if size is None or data.find(JPEG_END, position) < 0:
        raise CompressedSizeError("a complete JPEG image was wanted")
    return size
