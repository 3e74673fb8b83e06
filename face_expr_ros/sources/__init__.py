"""Image sources that need no camera driver: rendered faces, cameras, streams, video files and image files."""

from __future__ import annotations

import re
from pathlib import Path

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.sources.image_files import IMAGE_SUFFIXES
from face_expr_ros.sources.source_frame import Source, SourceError, SourceFrame, Warn
from face_expr_ros.sources.stream import StreamSource, is_stream, without_password

__all__ = ["Source", "SourceError", "SourceFrame", "device_number", "is_live", "open_source", "without_password"]


def is_live(source: str) -> bool:
    """Whether a source never ends by itself: the synthetic camera, devices and network streams."""
    return source == "synthetic" or source.startswith("device:") or is_stream(source)


def device_number(source: str) -> int:
    """The number N of the source device:N.

    Raises:
        SourceError: N is not a number of one to three digits.
    """
    match = re.fullmatch(r"device:(\d{1,3})", source)
    if match is None:
        raise SourceError(f"expected a source device:N with a number, such as device:0, got {source!r}")
    return int(match[1])


def open_source(config: CameraConfig, warn: Warn) -> Source:
    """Open the source that ``config.source`` names.

    Args:
        config: ``source`` is synthetic, device:N, a URL, a video file, an image file or a folder of images.
        warn: called with one sentence for every file or part that is skipped.

    Raises:
        SourceError: the source does not exist or cannot be read.
    """
    if config.source == "synthetic":
        from face_expr_ros.sources.synthetic import SyntheticSource

        return SyntheticSource(config)
    if config.source.startswith("device:"):
        return _open_device(config)
    if is_stream(config.source):
        return StreamSource(config.source)
    path = Path(config.source).expanduser()
    if path.is_dir() or (path.suffix.lower() in IMAGE_SUFFIXES and path.suffix.lower() != ".gif"):  # plays as a video
        from face_expr_ros.sources.images import ImagesSource

        return ImagesSource(path, loop=config.loop, warn=warn)
    from face_expr_ros.sources.video import VideoSource

    return VideoSource(path, loop=config.loop, warn=warn)


def _open_device(config: CameraConfig) -> Source:
    from face_expr_ros.sources.device import DeviceSource

    return DeviceSource(device_number(config.source), config.width, config.height, config.rate)
