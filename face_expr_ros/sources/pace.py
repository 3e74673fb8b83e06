"""Timing of a source: images are read ahead of their tick where the source allows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from face_expr_ros.sources.source_frame import Source, SourceFrame


class EndOfSource(Exception):
    """The source has no more images."""


class Pace:
    """Returns the images of a source at the ticks of a timer; images are read ahead of their tick where possible.

    A source that is too slow for the rate returns fewer images. Image times follow the clock, not an image count, so
    that motion has larger steps but the correct speed.

    Args:
        source: source of the images.
        rate: ticks per second.
        clock: monotonic time in seconds.
    """

    def __init__(self, source: Source, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._period = 1 / rate
        self._clock = clock
        self._start: float | None = None  # of the first tick
        self._taken = self._due = 0.0  # seconds since then at which the last image was taken and the next one is due
        self._spent = 0.0  # seconds from taking one image to having prepared the next
        self._next = source.read(0.0) if source.can_read_ahead else None

    def take(self) -> SourceFrame | None:
        """The image of this tick; None if it is not due yet.

        Raises:
            EndOfSource: there are no more images.
            SourceError: the next image cannot be read.
        """
        now = self._now()
        if now < self._due - self._period / 2:  # a timer that fired late fires the next time early
            return None
        frame = self._next if self._source.can_read_ahead else self._source.read(now)
        if frame is None:
            raise EndOfSource
        self._taken = now
        return frame

    def prepare(self) -> None:
        """Read the next image, for the earliest time at which it can be ready.

        Call it after publishing the image of :meth:`take`.

        Raises:
            SourceError: the next image cannot be read.
        """
        if self._source.can_read_ahead:
            self._due = self._taken + max(self._period, self._spent)  # assumes the duration of the last one
            self._next = self._source.read(self._due)
            self._spent = self._now() - self._taken

    def _now(self) -> float:
        if self._start is None:
            self._start = self._clock()
        return self._clock() - self._start
