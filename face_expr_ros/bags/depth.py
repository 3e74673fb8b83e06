"""The depth images of a recording, for the color image that follows each."""

from __future__ import annotations

from dataclasses import replace

from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import IMAGE, types_of
from face_expr_ros.bags.reading import Message, Recording, is_of
from face_expr_ros.bags.topics import DEFAULT_DEPTH_TOPIC
from face_expr_ros.core.types import Frame
from face_expr_ros.serialization.depth_decoding import decode_depth
from face_expr_ros.serialization.image_encodings import DecodeError


def depth_connection(recording: Recording, topic: str | None, image_topic: str) -> Connection | None:
    """The topic of the depth images: the named one, or ``depth/image`` beside the image topic; None without one.

    Raises:
        BagError: the named topic does not exist or is not a sensor_msgs/Image.
    """
    if topic is not None:
        connection = recording.connection(topic)
        if connection.msgtype != IMAGE:
            raise BagError(f"expected a depth topic of sensor_msgs/Image, got {topic} with {connection.msgtype}")
        return connection
    beside = f"{image_topic.rpartition('/')[0]}/{DEFAULT_DEPTH_TOPIC}"
    found = [entry for entry in recording.connections if (entry.topic, entry.msgtype) == (beside, IMAGE)]
    return found[0] if found else None


class DepthMessages:
    """The latest depth image, which belongs to the next color image, as in the perception node.

    Args:
        connection: of the depth images; None if there are none.

    Attributes:
        data: the latest message, serialized, until it is used; empty if there is none.
        problem: why the latest depth image cannot be used; empty if it can.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection
        self.data = b""
        self.problem = ""

    def take(self, message: Message) -> None:
        """Store a message if it is a depth image."""
        if self._connection is not None and is_of(message, self._connection):
            self.data = bytes(message.data)

    def add_to(self, frame: Frame) -> Frame:
        """The frame with the latest depth image, if there is a new one and it can be used."""
        data, self.data = self.data, b""
        if not data or self._connection is None:
            return frame
        try:
            message = types_of(self._connection).deserialize_cdr(data, self._connection.msgtype)
        except Exception as error:  # the type depends on where the message is truncated
            self.problem = f"a depth image on {self._connection.topic} cannot be decoded: {error}"
            return frame
        camera = frame.camera
        try:
            depth = decode_depth(message, frame.frame_id, camera.width, camera.height)
        except DecodeError as error:
            self.problem = f"depth images are ignored: {error}"
            return frame
        self.problem = ""
        return replace(frame, depth=depth)
