"""The latest depth image of a camera, decoded when a color image is processed."""

from __future__ import annotations

from sensor_msgs.msg import Image

from face_expr_ros.core.types import DepthImage
from face_expr_ros.serialization.depth_decoding import decode_depth
from face_expr_ros.serialization.image_encodings import DecodeError


class DepthInput:
    """Keeps the latest depth image; `update` and `latest` may be called from different threads.

    Attributes:
        problem: why the latest depth image cannot be used; empty if it can, or if there is none.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._message: Image | None = None

    def update(self, message: Image) -> None:
        """Set the latest message."""
        self._message = message

    def latest(self, frame_id: str, width: int, height: int) -> DepthImage | None:
        """The latest depth image for color images of ``width`` x ``height`` pixels; None if there is no new one."""
        message, self._message = self._message, None
        if message is None:
            return None
        try:
            depth = decode_depth(message, frame_id, width, height)
        except DecodeError as error:
            self.problem = f"depth images are ignored: {error}"
            return None
        self.problem = ""
        return depth
