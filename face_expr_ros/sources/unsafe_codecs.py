"""Videos of codecs whose decoder in the FFmpeg of OpenCV's wheels is not safe are refused before a frame is decoded."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from face_expr_ros.sources.source_frame import SourceError

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # environment variable, read by OpenCV when it opens a file
# FFmpeg decodes frames of other codecs already when a file is opened, to find out their pixel format.
_PROBED = (
    "av1,flv,h261,h263,h264,hevc,libaom-av1,libdav1d,libvpx,libvpx-vp9,mjpeg,mpeg1video,mpeg2video,mpeg4,msmpeg4,"
    "msmpeg4v2,prores,rawvideo,theora,vc1,vp8,vp9,wmv1,wmv2,wmv3"
)
_MAGIC_YUV = re.compile(rb"MAGY|M[028](RG|RA|G0|Y0|Y2|Y4|YA)")  # CVE-2026-8461, mended in FFmpeg 8.1.2
_lock = threading.Lock()


def open_video_file(path: Path) -> cv2.VideoCapture:
    """OpenCV's capture of a video file, which may not be opened.

    Raises:
        SourceError: the video has a codec that is not safe to decode.
    """
    with _probing_limited():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    if _MAGIC_YUV.fullmatch(code.to_bytes(4, "little").upper()):
        capture.release()
        raise SourceError(
            f"{path} is a MagicYUV video, whose decoder is unsafe (CVE-2026-8461): convert it with FFmpeg 8.1.2 or "
            "later"
        )
    return capture


@contextmanager
def _probing_limited() -> Iterator[None]:
    with _lock:
        given = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = "|".join(filter(None, [given, f"codec_whitelist;{_PROBED}"]))
        try:
            yield
        finally:
            if given is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = given
