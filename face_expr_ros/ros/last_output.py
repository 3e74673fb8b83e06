"""The last published image result, and whether its faces may still be displayed."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.time import Time
from std_msgs.msg import Header


class LastOutput:
    """Header and time of the last published result. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._header: Header | None = None
        self._published: float | None = None

    def update(self, header: Header, now: float) -> None:
        """Record a published result."""
        self._header, self._published = header, now

    def clear(self) -> None:
        """Record that the faces were removed."""
        self._header = self._published = None

    def age(self, now: float) -> float | None:
        """Seconds since the last result; None if there is none, or its faces were removed."""
        return None if self._published is None else now - self._published

    def header_at(self, now: float) -> Header:
        """The header of a result that is published now: the stamp continues those of the images.

        The clock of the images need not be that of the node: a bag has the stamps of its recording.
        """
        if self._header is None or self._published is None:
            return Header()
        stamp = Time.from_msg(self._header.stamp) + Duration(seconds=max(0.0, now - self._published))
        return Header(stamp=stamp.to_msg(), frame_id=self._header.frame_id)
