"""The last published image result, and whether its faces may still be displayed."""

from __future__ import annotations

from std_msgs.msg import Header


class LastOutput:
    """Header and time of the last published result. Times are seconds of a monotonic clock.

    Attributes:
        header: that of the image of the result. The message that removes its faces has it, too: the stamps of all
            results are then those of images, do not decrease when images follow that were on their way, and are not
            later than the transforms of the camera's frame.
    """

    def __init__(self) -> None:
        self.header = Header()
        self._published: float | None = None

    def update(self, header: Header, now: float) -> None:
        """Record a published result."""
        self.header, self._published = header, now

    def clear(self) -> None:
        """Record that the faces were removed."""
        self._published = None

    def age(self, now: float) -> float | None:
        """Seconds since the last result; None if there is none, or its faces were removed."""
        return None if self._published is None else now - self._published
