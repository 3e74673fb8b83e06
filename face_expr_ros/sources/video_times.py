"""Times of the frames of a video, from the time stamps of its container."""

from __future__ import annotations

DEFAULT_INTERVAL = 1.0 / 30.0  # seconds between frames while neither the container nor earlier frames tell it


class VideoTimes:
    """Seconds since the first frame for the time stamps of a container; always increasing.

    A frame rate in a header says little: browsers write 1000 frames per second, which is the resolution of their time
    stamps, and phones vary their rate with the light. A time stamp that does not increase, as in damaged files and
    formats without time stamps, is replaced by the previous time plus the last interval and counted.

    Args:
        rate: frames per second by the header, 0 if unknown; used until the first two time stamps are known.

    Attributes:
        irregular: number of frames whose time stamp did not increase.
        end: time at which the last frame ends.
    """

    def __init__(self, rate: float) -> None:
        self.irregular = 0
        self.end = 0.0
        self._interval = 1.0 / rate if rate else DEFAULT_INTERVAL
        self._last: float | None = None  # time of the last frame of this pass
        self._first = 0.0  # time stamp of the first frame
        self._offset = 0.0  # time at which this pass started

    def __call__(self, stamp: float) -> float:
        """Time of the next frame in seconds.

        Args:
            stamp: presentation time in the container in seconds.
        """
        if self._last is None:
            self._first, self._last = max(0.0, stamp), 0.0
        else:
            self._next(stamp - self._first)
        time = self._offset + self._last
        self.end = time + self._interval
        return time

    def repeat(self) -> None:
        """Start again with the first frame, at the end of the last one."""
        self._offset, self._last = self.end, None

    def _next(self, time: float) -> None:
        assert self._last is not None
        if time > self._last:
            self._interval = time - self._last
            self._last = time
        else:
            self.irregular += 1
            self._last += self._interval
