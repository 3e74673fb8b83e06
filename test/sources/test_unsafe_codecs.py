"""Videos whose decoder is not safe are refused; all others are decoded as before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.sources.source_frame import SourceError
from face_expr_ros.sources.unsafe_codecs import open_video_file

av = pytest.importorskip("av")

OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
CODECS = {
    "h.mp4": ("libx264", "yuv420p"), "h.avi": ("mpeg4", "yuv420p"), "j.avi": ("mjpeg", "yuvj420p"),
    "v.webm": ("libvpx-vp9", "yuv420p"), "f.mkv": ("ffv1", "yuv420p"), "p.mov": ("prores_ks", "yuv422p10le"),
}  # fmt: skip


def written(path: Path, codec: str, pixels: str) -> Path:
    """A video of three frames."""
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg cannot encode {codec}")
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, pixels
        for value in (50, 100, 150):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((120, 160, 3), value, np.uint8), format="rgb24")))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", CODECS)
def test_other_codecs_are_decoded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPTIONS, "threads;1")
    capture = open_video_file(written(tmp_path / name, *CODECS[name]))
    means = [float(capture.read()[1].mean()) for _ in range(3)]
    capture.release()
    assert means == pytest.approx([50, 100, 150], abs=4)
    assert os.environ[OPTIONS] == "threads;1"


def test_magic_yuv_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.avi", "magicyuv", "gbrp")
    with pytest.raises(SourceError, match=r"m\.avi is a MagicYUV video, whose decoder is unsafe \(CVE-2026-8461\)"):
        open_video_file(path)
    assert OPTIONS not in os.environ


@pytest.mark.parametrize("tag", [b"M8RG", b"M8YA", b"M0Y2", b"m8rg"])
def test_magic_yuv_is_refused_under_each_of_its_names(tag: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "m.avi", "magicyuv", "gbrp")
    path.write_bytes(path.read_bytes().replace(b"MAGY", tag))
    with pytest.raises(SourceError, match="MagicYUV"):
        open_video_file(path)
