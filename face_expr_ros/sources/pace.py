"""When which image of a source is read: ahead of its time where that is possible."""

from __future__ import annotations

import time
from collections.abc import Callable

from face_expr_ros.sources.source_frame import Source, SourceFrame


class Ended(Exception):
    """The source has no more images."""


class Pace:
    """Gives the images of a source at ticks; what can be read ahead of its tick is, so that it is there in time.

    A source that is too slow for the rate gives fewer images. Its time is that of the clock, not a count of images:
    what it shows moves in larger steps, but never slower than it should.

    Args:
        source: gives the images.
        rate: ticks per second.
        clock: seconds; never goes back.
    """

    def __init__(self, source: Source, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._period = 1 / rate
        self._clock = clock
        self._start: float | None = None  # of the first tick
        self._taken = self._due = 0.0  # seconds since then: the last image was taken, the next one is due
        self._spent = 0.0  # seconds from one image taken to the next one prepared
        self._next = source.read(0.0) if source.ahead else None

    def take(self) -> SourceFrame | None:
        """The image of this tick; None when it is not due yet.

        Raises:
            Ended: there are no more.
            SourceError: there should be one, but it cannot be read.
        """
        now = self._now()
        if now < self._due - self._period / 2:  # a timer that was kept waiting fires too early once
            return None
        shot = self._next if self._source.ahead else self._source.read(now)
        if shot is None:
            raise Ended
        self._taken = now
        return shot

    def prepare(self) -> None:
        """Read the next image for the moment at which it can be there.

        Call it when the image of :meth:`take` is on its way.

        Raises:
            SourceError: there should be one, but it cannot be read.
        """
        if self._source.ahead:
            self._due = self._taken + max(self._period, self._spent)  # as long as the last one took
            self._next = self._source.read(self._due)
            self._spent = self._now() - self._taken

    def _now(self) -> float:
        if self._start is None:
            self._start = self._clock()
        return self._clock() - self._start
