"""The images of a bag as frames of the pipeline, each with the camera that was told of last."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection

from face_expr_ros.bags.job import Bounds
from face_expr_ros.bags.messages import types_of
from face_expr_ros.bags.reading import Message, Recording, is_of
from face_expr_ros.bags.topics import camera_info_connection
from face_expr_ros.core.types import Frame
from face_expr_ros.serialization.camera_info import CameraInfoError, CameraKeeper
from face_expr_ros.serialization.image_decoding import decode

Picture = tuple[NDArray[np.uint8], int, str]  # BGR, stamp in nanoseconds, frame_id


class CameraImages:
    """The images of one topic and the CameraInfo beside them.

    Args:
        recording: the bag.
        images: its topic of images.
        field_of_view: as `CameraKeeper`.

    Attributes:
        info: the last CameraInfo that counts, serialized; empty before there is one.
    """

    def __init__(self, recording: Recording, images: Connection, field_of_view: float) -> None:
        self.info = b""
        self._recording, self._images = recording, images
        self._infos = camera_info_connection(recording, images)
        self._cameras = CameraKeeper(field_of_view)
        self._types = types_of(images)

    @property
    def problem(self) -> str:
        """Why the last CameraInfo cannot be used, or an empty text."""
        return self._cameras.problem

    def decoded(self, message: Message) -> tuple[Message, Picture | Exception | None]:
        """A message and, where it is an image, what it shows, or why nobody can say. Safe in any thread."""
        if not is_of(message, self._images):
            return message, None
        try:
            image: Any = self._types.deserialize_cdr(message.data, self._images.msgtype)
            stamp = image.header.stamp
            return message, (decode(image), stamp.sec * 1_000_000_000 + stamp.nanosec, image.header.frame_id)
        except Exception as error:  # of a message that is cut off, too
            return message, error

    def frame(self, picture: Picture | Exception) -> Frame:
        """What `decoded` gave for an image. Raises that error where it gave one."""
        if isinstance(picture, Exception):
            raise picture
        image, stamp_ns, frame_id = picture
        return Frame(image, stamp_ns, frame_id, self._cameras.camera(image.shape[1], image.shape[0]))

    def take_first_info(self, bounds: Bounds) -> None:
        """The first CameraInfo counts for the images before it as well. Raises as `take_info`."""
        if self._infos is not None:
            first = next(self._recording.messages([self._infos], *bounds), None)
            if first is not None:
                self.take_info(first)

    def take_info(self, message: Message) -> None:
        """Where the message is a CameraInfo, it counts from now on.

        Raises:
            CameraInfoError: it is damaged, and the one before goes on to count.
        """
        if self._infos is not None and is_of(message, self._infos):
            self.restore_info(message.data)

    def restore_info(self, data: bytes) -> None:
        """A serialized CameraInfo, such as ``info``, counts from now on."""
        if self._infos is None or data == self.info:
            return
        try:
            info = types_of(self._infos).deserialize_cdr(data, self._infos.msgtype)
        except Exception as error:  # what it raises depends on where the message is cut off
            topic = self._infos.topic
            raise CameraInfoError(f"a CameraInfo on {topic} is damaged and does not count: {error}") from error
        self._cameras.update(info)
        self.info = data
