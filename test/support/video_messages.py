"""Messages of compressed videos for tests, encoded by PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.bags.messages import COMPRESSED_IMAGE, package_types
from face_expr_ros.serialization.video_decoding import COMPRESSED_VIDEO, FFMPEG_PACKET
from support.bag_files import RATE, header

GROUP = 4  # images from one key frame to the next


def packets(images: Iterable[NDArray[np.uint8]], encoder: str = "libx264") -> list[bytes]:
    """One packet per image, each depending on those since the last key frame."""
    import av

    images = list(images)
    context: Any = av.CodecContext.create(encoder, "w")
    context.height, context.width = images[0].shape[:2]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, RATE), RATE
    context.gop_size, context.max_b_frames = GROUP, 0
    context.options = {"tune": "zerolatency", "preset": "ultrafast", "x265-params": "log-level=none"}
    made = []
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = number
        made += [bytes(packet) for packet in context.encode(frame)]
    return made + [bytes(packet) for packet in context.encode(None)]


def video_message(kind: str, number: int, data: bytes, codec: str = "h264") -> bytes:
    """The serialized message of a packet."""
    types, head = package_types().types, header(number)
    stamp = types["builtin_interfaces/msg/Time"](**head["stamp"])
    array = np.frombuffer(data, np.uint8)
    full = types["std_msgs/msg/Header"](stamp=stamp, frame_id=head["frame_id"])
    fields: dict[str, dict[str, Any]] = {
        COMPRESSED_VIDEO: {"timestamp": stamp, "frame_id": head["frame_id"], "data": array, "format": codec},
        COMPRESSED_IMAGE: {"header": full, "format": codec, "data": array},
        FFMPEG_PACKET: {
            "header": full, "width": 640, "height": 480, "encoding": f"{codec};yuv420p;bgr8;bgr8", "pts": number,
            "flags": 0, "is_bigendian": False, "data": array,
        },
    }  # fmt: skip
    return bytes(package_types().serialize_cdr(types[kind](**fields[kind]), kind))
