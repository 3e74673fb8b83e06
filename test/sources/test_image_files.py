"""Image files of formats whose decoders are not safe are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from face_expr_ros.sources.image_files import read_image
from face_expr_ros.sources.source_frame import SourceError


@pytest.mark.parametrize("head", [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"])
def test_jpeg_2000_is_refused_whatever_the_file_is_called(tmp_path: Path, head: bytes) -> None:
    file = tmp_path / "portrait.jpg"
    file.write_bytes(head + bytes(200))
    with pytest.raises(SourceError, match=r"portrait\.jpg' is a JPEG 2000 image"):
        read_image(file)
