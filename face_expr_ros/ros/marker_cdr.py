"""Large markers as ready CDR bytes: ordinary message objects take half a second for a mesh of 38,000 vertices.

The layout is learnt from the installed message type. A Marker without points is serialized by ROS itself; points and
colors are spliced into it. The splice is checked against ROS's own deserialization when a MarkerWriter is made.
"""

from __future__ import annotations

import struct

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

_LITTLE_ENDIAN_CDR = b"\x00\x01\x00\x00"  # XCDR1; alignment is counted after these four bytes
_EMPTY_COUNTS = bytes(8)  # uint32 number of points, uint32 number of colors


class MarkerLayoutError(RuntimeError):
    """The installed Marker type is not laid out as the fast path expects."""


class MarkerWriter:
    """Splices points and colors into serialized markers.

    Raises:
        MarkerLayoutError: the check against ROS's own deserialization failed; use :func:`marker_object` instead.
    """

    def __init__(self) -> None:
        self._tail_length = 0
        self._tail_length = self._learn_tail_length()
        for frame_id, count in (("", 0), ("a", 1), ("camera", 3), ("camera_optical_frame", 300)):
            self._check(frame_id, count)

    def __call__(self, marker: Marker, points: NDArray[np.float64], colors: NDArray[np.float32]) -> bytes:
        """The CDR of ``marker`` with (n, 3) points and (n, 4) RGBA colors; its own points and colors are empty."""
        if marker.points or marker.colors or marker.text or marker.mesh_resource:
            raise ValueError("a Marker without points, colors, text and mesh_resource was wanted")
        empty = serialize_message(marker)
        start = len(empty) - self._tail_length - len(_EMPTY_COUNTS)
        aligned = (start + 4 - len(_LITTLE_ENDIAN_CDR)) % 8 == 0 or not len(points)
        parts = (
            empty[:start],
            struct.pack("<I", len(points)),
            b"" if aligned else bytes(4),
            np.ascontiguousarray(points, dtype="<f8").tobytes(),
            struct.pack("<I", len(colors)),
            np.ascontiguousarray(colors, dtype="<f4").tobytes(),
            empty[start + len(_EMPTY_COUNTS) :],
        )
        return b"".join(parts)

    def _learn_tail_length(self) -> int:
        """Bytes after the number of colors: the first place where one point turns a uint32 0 into 1.

        Nothing in the tail of a marker without texture is aligned to more than four bytes, so its length is constant.
        """
        none, one = serialize_message(Marker()), serialize_message(Marker(points=[Point()]))
        if none[:4] != _LITTLE_ENDIAN_CDR:
            raise MarkerLayoutError(f"little-endian CDR was wanted, the encapsulation {none[:4].hex()} was given")
        for start in range(4, len(none) - 8, 4):
            if none[start : start + 8] == _EMPTY_COUNTS and one[start : start + 4] == struct.pack("<I", 1):
                return len(none) - start - len(_EMPTY_COUNTS)
        raise MarkerLayoutError("the number of points was not found in a serialized Marker")

    def _check(self, frame_id: str, count: int) -> None:
        marker = Marker(ns="face", id=count, type=Marker.TRIANGLE_LIST)
        marker.header.frame_id = frame_id
        points = np.arange(3.0 * count).reshape(-1, 3)
        colors = np.linspace(0, 1, 4 * count, dtype=np.float32).reshape(-1, 4)
        given = deserialize_message(self(marker, points, colors), Marker)
        if given != marker_object(marker, points, colors):
            raise MarkerLayoutError(f"a Marker with {count} points did not come back as it was written")


def marker_object(marker: Marker, points: NDArray[np.float64], colors: NDArray[np.float32]) -> Marker:
    """The slow path: the same marker with its points and colors as message objects."""
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    return marker
