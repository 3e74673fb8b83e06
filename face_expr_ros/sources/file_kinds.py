"""What an image or video file is, from its first bytes, for errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from face_expr_ros.sources.source_frame import SourceError

Kind = Literal["image", "video"]
_HEAD = 32  # bytes
_BRANDS = {  # of ISO base media files: images that share the container of mp4
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC",
    b"mif1": "HEIF", b"msf1": "HEIF",
}  # fmt: skip
_SIGNATURES: tuple[tuple[int, bytes, str, Kind], ...] = (  # offset, bytes, format
    (0, b"\xff\xd8\xff", "JPEG", "image"),
    (0, b"\x89PNG", "PNG", "image"),
    (0, b"GIF8", "GIF", "image"),
    (0, b"BM", "BMP", "image"),
    (8, b"WEBP", "WebP", "image"),
    (0, b"II*\0", "TIFF", "image"),
    (0, b"MM\0*", "TIFF", "image"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000", "image"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL", "image"),
    (0, b"\xff\x0a", "JPEG XL", "image"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM", "video"),
    (8, b"AVI ", "AVI", "video"),
    (0, b"\0\0\x01\xba", "MPEG", "video"),
    (0, b"\0\0\x01\xb3", "MPEG", "video"),
    (0, b"OggS", "Ogg", "video"),
    (0, b"FLV\x01", "Flash", "video"),
    (0, b"\x30\x26\xb2\x75", "Windows Media", "video"),
)


def file_format(path: Path) -> tuple[str, Kind] | None:
    """Name of a file's format and whether it is an image or a video; None if it is neither or cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        image = _BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
        return (image, "image") if image else ("MP4 or QuickTime", "video")
    found = ((name, kind) for offset, mark, name, kind in _SIGNATURES if head[offset : offset + len(mark)] == mark)
    return next(found, None)


def refuse_image(path: Path) -> None:
    """Raises a SourceError that names the format if a file is an image; a GIF can be a video.

    FFmpeg reads images as videos of one frame, and some as damaged videos.
    """
    found = file_format(path)
    if found is not None and found[1] == "image" and found[0] != "GIF":
        raise SourceError(f"expected a video, got the {found[0]} image {str(path)!r}: use face_expr image")
