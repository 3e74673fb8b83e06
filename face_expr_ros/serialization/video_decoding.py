"""Decodes video streams whose packets are messages: H.264, H.265, VP9 and AV1, by PyAV where that is installed.

Messages are those of Foxglove (CompressedVideo), of ffmpeg_image_transport (FFMPEGPacket), and CompressedImage with
the name of a codec as its format. A packet depends on those before it, back to the last key frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.serialization.image_encodings import DecodeError

COMPRESSED_VIDEO = "foxglove_msgs/msg/CompressedVideo"
FFMPEG_PACKET = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
VIDEO_TYPES = (COMPRESSED_VIDEO, FFMPEG_PACKET)
# Their fields, for bags without definitions (sqlite3 before ROS 2 Iron).
VIDEO_DEFINITIONS = {
    COMPRESSED_VIDEO: "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n",
    FFMPEG_PACKET: (
        "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\nuint8 flags\n"
        "bool is_bigendian\nuint8[] data\n"
    ),
}
# Name in a message -> decoder of FFmpeg.
_CODECS = {"h264": "h264", "h265": "hevc", "hevc": "hevc", "vp9": "vp9", "av1": "libdav1d"}
_NAME = re.compile(r"h\.?26[45]|hevc|vp9|av1")
_START_CODE = re.compile(rb"\x00\x00\x01")
_H264_KEY, _HEVC_KEY = {5, 7}, set(range(16, 22)) | {32, 33}  # types of units that begin at a key frame


def codec_of(message: Any) -> str:
    """FFmpeg's name of the decoder of a message, such as "h264"; empty if it is not part of a known video.

    Args:
        message: with the field ``format`` (CompressedVideo, CompressedImage) or ``encoding`` (FFMPEGPacket) and data.
    """
    text = str(getattr(message, "format", None) or getattr(message, "encoding", "")).lower()
    found = _NAME.search(text)
    if found:
        return _CODECS[found[0].replace(".", "")]
    return "h264" if "x264" in text else "hevc" if "x265" in text else ""


def is_key_frame(data: bytes, codec: str) -> bool | None:
    """Whether decoding can start at a packet in Annex B format; None if the codec does not show it in this way."""
    if codec not in ("h264", "hevc"):
        return None
    units = [data[found.end()] for found in _START_CODE.finditer(data) if found.end() < len(data)]
    if codec == "h264":
        return any(unit & 0x1F in _H264_KEY for unit in units)
    return any(unit >> 1 & 0x3F in _HEVC_KEY for unit in units)


class VideoDecoder:
    """Decodes the packets of one stream in their order.

    Args:
        topic: named in errors.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._context: Any = None
        self._codec = ""

    def __call__(self, data: bytes, codec: str) -> NDArray[np.uint8]:
        """The image of a packet as (height, width, 3) uint8 BGR.

        Raises:
            DecodeError: PyAV is not installed, the packet is damaged, or it depends on packets that are missing.
        """
        av = library(self._topic)
        if codec != self._codec:
            self._context, self._codec = av.CodecContext.create(codec, "r"), codec
            self._context.thread_count = 1  # more threads would delay the images
            self._context.flags |= av.codec.context.Flags.low_delay
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise DecodeError(f"expected a packet of {codec} video, got {len(data)} bytes: {error}") from error
        if not frames:
            raise DecodeError(f"expected a key frame of {codec} first: the packet depends on missing ones")
        return np.ascontiguousarray(frames[-1].to_ndarray(format="bgr24"))


def since_key_frame(packets: Iterable[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    """The packets, as data and decoder, from the last one at which decoding can start; all if there is none."""
    kept: list[tuple[bytes, str]] = []
    for data, codec in packets:
        if is_key_frame(data, codec):
            kept.clear()
        kept.append((data, codec))
    return kept


def library(topic: str) -> Any:
    """The module ``av``.

    Raises:
        DecodeError: it is not installed; the text names ``topic``.
    """
    try:
        import av
    except ImportError as error:
        raise DecodeError(
            f"{topic} is a video, which requires PyAV: run `pip install av`, or record images (sensor_msgs/Image, or "
            "CompressedImage with JPEG)"
        ) from error
    return av
