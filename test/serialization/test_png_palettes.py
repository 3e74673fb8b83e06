"""PNG images with a palette: what libpng before 1.6.56 is not safe with."""

from __future__ import annotations

import platform
import struct
import zlib

import pytest

from face_expr_ros.serialization.image_headers import CompressedSizeError, compressed_size


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def palette_image(*extra: bytes) -> bytes:
    """Two pixels of a palette with three colors, with further chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\2"))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"PLTE", bytes(range(9))) + b"".join(extra) + pixels + chunk(b"IEND", b"")
    )


def test_one_palette_with_transparency_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert compressed_size(palette_image(chunk(b"tRNS", b"\0\x80"))) == (2, 1)


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_repeated_palettes_are_refused(kind: bytes) -> None:
    with pytest.raises(CompressedSizeError, match="expected a PNG image with one palette"):
        compressed_size(palette_image(*[chunk(kind, bytes(3))] * 2))


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_palettes_are_refused_on_arm(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(CompressedSizeError, match="expected a PNG image without a palette"):
        compressed_size(palette_image())
