"""The images of a bag as frames of the pipeline, each with the latest CameraInfo."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.job import Bounds
from face_expr_ros.bags.messages import IMAGE, types_of
from face_expr_ros.bags.reading import Message, Recording, is_of
from face_expr_ros.bags.topics import camera_info_connection
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.types import Frame
from face_expr_ros.serialization.camera_info import CameraInfoError
from face_expr_ros.serialization.camera_keeper import CameraKeeper, is_rectified
from face_expr_ros.serialization.image_decoding import decode
from face_expr_ros.serialization.image_encodings import DecodeError
from face_expr_ros.serialization.video_decoding import VIDEO_TYPES, VideoDecoder, codec_of, library, since_key_frame

DecodedImage = tuple[NDArray[np.uint8], int, str, int]  # BGR, stamp in ns, frame_id, time of recording in ns


class CameraImages:
    """The images of one topic and the CameraInfo beside them.

    Args:
        recording: the bag.
        images: the image topic.
        config: its ``fitting.field_of_view`` and ``rectified``.

    Attributes:
        info: the CameraInfo in use, serialized; empty if there is none yet.

    Raises:
        BagError: the topic is a video, and PyAV is not installed.
    """

    def __init__(self, recording: Recording, images: Connection, config: PerceptionConfig) -> None:
        self.info = b""
        self._recording, self._images = recording, images
        self._infos = camera_info_connection(recording, images)
        rectified = is_rectified(config.rectified, images.topic)
        self._cameras = CameraKeeper(config.fitting.field_of_view, rectified=rectified)
        self._types = types_of(images)
        self._video = VideoDecoder(images.topic)
        if images.msgtype in VIDEO_TYPES:
            _check_video_library(images.topic)

    @property
    def problem(self) -> str:
        """The reason why the latest CameraInfo cannot be used; empty if it can."""
        return self._cameras.problem

    def decoded(self, message: Message) -> tuple[Message, DecodedImage | Exception | None]:
        """A message and, if it is an image, its pixels or the decoding error. Safe in any thread."""
        if not is_of(message, self._images):
            return message, None
        try:
            image: Any = self._types.deserialize_cdr(message.data, self._images.msgtype)
            stamp_ns, frame_id = _header(image)
            return message, (self._pixels(image), stamp_ns, frame_id, message.time_ns)
        except Exception as error:  # including those of truncated messages
            return message, error

    def take_earlier_packets(self, count: int, bounds: Bounds) -> None:
        """Prepare the decoder of a video for the image after the first ``count`` ones within the bounds.

        It depends on the packets from the last key frame. Images that are not part of a video need no preparation.
        """
        if not self._is_video() or (not count and bounds[0] is None):
            return
        before = self._recording.messages([self._images], None, bounds[0]) if bounds[0] is not None else ()
        within = islice(self._recording.messages([self._images], *bounds), count)
        for data, codec in since_key_frame(filter(itemgetter(1), map(self._packet, chain(before, within)))):
            with suppress(DecodeError):
                self._video(data, codec)

    def _is_video(self) -> bool:
        if self._images.msgtype in (IMAGE, *VIDEO_TYPES):
            return self._images.msgtype != IMAGE
        first = next(self._recording.messages([self._images]), None)
        return first is not None and bool(self._packet(first)[1])

    def _packet(self, message: Message) -> tuple[bytes, str]:
        """The data and the decoder of a video's message; empty if it is not part of a video."""
        try:
            packet: Any = self._types.deserialize_cdr(message.data, self._images.msgtype)
        except Exception:  # a truncated message, which is reported when it is decoded
            return b"", ""
        codec = codec_of(packet)
        return (bytes(packet.data), codec) if codec else (b"", "")

    def _pixels(self, image: Any) -> NDArray[np.uint8]:
        """The pixels of a message; raises DecodeError."""
        kind = self._images.msgtype
        codec = codec_of(image) if kind != IMAGE else ""
        if codec:
            return self._video(bytes(image.data), codec)
        if kind in VIDEO_TYPES:
            given = getattr(image, "format", None) or getattr(image, "encoding", "")
            raise DecodeError(f"expected a video in H.264, H.265, VP9 or AV1 on {self._images.topic}, got {given!r}")
        return decode(image)

    def frame(self, decoded: DecodedImage | Exception) -> Frame:
        """The frame of a decoded image. Raises the decoding error, if any."""
        if isinstance(decoded, Exception):
            raise decoded
        image, stamp_ns, frame_id, arrival_ns = decoded
        return Frame(image, stamp_ns, frame_id, self._cameras.camera(image.shape[1], image.shape[0]), arrival_ns)

    def take_first_info(self, bounds: Bounds) -> None:
        """Use the first CameraInfo for the images before it as well. Raises as `take_info`."""
        if self._infos is not None:
            first = next(self._recording.messages([self._infos], *bounds), None)
            if first is not None:
                self.take_info(first)

    def take_info(self, message: Message) -> None:
        """Use a message from now on if it is a CameraInfo.

        Raises:
            CameraInfoError: it cannot be decoded; the previous one stays in use.
        """
        if self._infos is not None and is_of(message, self._infos):
            self.restore_info(message.data)

    def restore_info(self, data: bytes) -> None:
        """Use a serialized CameraInfo, such as ``info``, from now on."""
        if self._infos is None or data == self.info:
            return
        try:
            info = types_of(self._infos).deserialize_cdr(data, self._infos.msgtype)
        except Exception as error:  # the type depends on where the message is truncated
            topic = self._infos.topic
            raise CameraInfoError(f"a CameraInfo on {topic} cannot be decoded and is ignored: {error}") from error
        self._cameras.update(info)
        self.info = data


def _header(image: Any) -> tuple[int, str]:
    """Stamp in nanoseconds and frame_id of a message; foxglove_msgs has its own fields for them.

    Raises:
        DecodeError: another message cannot have this stamp.
    """
    stamp, frame_id = (
        (image.header.stamp, image.header.frame_id) if hasattr(image, "header") else (image.timestamp, image.frame_id)
    )
    stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
    if stamp_ns // 1_000_000_000 >= 2**31:
        raise DecodeError(f"expected a stamp before 2038, got {stamp.sec} s and {stamp.nanosec} ns")
    return stamp_ns, frame_id


def _check_video_library(topic: str) -> None:
    try:
        library(topic)
    except DecodeError as error:
        raise BagError(str(error)) from error
