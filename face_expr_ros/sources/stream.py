"""A network stream as a source: RTSP or HTTP cameras, and files on a web server."""

from __future__ import annotations

import re

import cv2

from face_expr_ros.sources.live_capture import LiveCapture
from face_expr_ros.sources.source_frame import SourceError

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "udp")
_OPEN_TIMEOUT, _READ_TIMEOUT = 10_000, 5_000  # milliseconds


def is_stream(source: str) -> bool:
    """Whether a source is a URL."""
    return "://" in source


def without_password(source: str) -> str:
    """A source as it may be shown: without the user name and the password of a URL."""
    return re.sub(r"://[^/@]*@", "://", source)


class StreamSource(LiveCapture):
    """The latest image of a network stream, which FFmpeg decodes.

    Raises:
        SourceError: the scheme is not supported, or the stream cannot be opened.
    """

    def __init__(self, url: str) -> None:
        name, scheme = without_password(url), url.partition("://")[0].lower()
        if scheme not in SCHEMES:
            raise SourceError(f"expected a URL of {', '.join(SCHEMES)}, got {name!r}")
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT]
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
        if not capture.isOpened():
            raise SourceError(
                f"{name} cannot be opened as a stream: check the URL, the network and the password, or use a ROS "
                "driver, such as gscam, which publishes any GStreamer pipeline"
            )
        is_file = capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0 and capture.get(cv2.CAP_PROP_FPS) > 0
        super().__init__(name, capture, 1.0 / capture.get(cv2.CAP_PROP_FPS) if is_file else 0.0)
