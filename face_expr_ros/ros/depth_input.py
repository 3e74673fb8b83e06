"""The latest depth image of a camera, decoded when a color image is processed."""

from __future__ import annotations

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.core.types import DepthImage
from face_expr_ros.ros.stamps import stamp_ns
from face_expr_ros.serialization.depth_decoding import decode_depth
from face_expr_ros.serialization.image_encodings import DecodeError

_MAX_DIFFERENCE = 1.0  # seconds between the stamps; a larger one means another clock


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

    def latest(self, header: Header, width: int, height: int) -> DepthImage | None:
        """The latest depth image for a color image of ``width`` x ``height`` pixels; None if there is no new one."""
        message, self._message = self._message, None
        if message is None:
            return None
        try:
            depth = decode_depth(message, header.frame_id, width, height)
            _check_clock(depth, stamp_ns(header.stamp))
        except DecodeError as error:
            self.problem = f"depth images are ignored: {error}"
            return None
        self.problem = ""
        return depth


def _check_clock(depth: DepthImage, color_ns: int) -> None:
    difference = (depth.stamp_ns - color_ns) * 1e-9
    if min(depth.stamp_ns, color_ns) > 0 and abs(difference) > _MAX_DIFFERENCE:
        raise DecodeError(
            f"expected stamps of the same clock as those of the color image, got one that differs by {difference:.3f} s"
        )
