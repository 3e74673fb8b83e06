"""Timing of a source: images are read ahead of their time where the source allows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from face_expr_ros.sources.source_frame import Source, SourceFrame

_EARLY = 0.0005  # seconds before its time at which an image is taken


class EndOfSource(Exception):
    """The source has no more images."""


class Pace:
    """Returns the images of a source when they are due; images are read ahead of their time where possible.

    Frames of videos are due at the times of their container, images of other sources ``rate`` times per second. A
    source that is too slow returns its images later and never several at once; rendered images follow the clock, so
    that motion has larger steps but the correct speed.

    Args:
        source: source of the images.
        rate: images per second of sources without times of their own.
        clock: monotonic time in seconds.
    """

    def __init__(self, source: Source, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._period = 1 / rate
        self._clock = clock
        self._start: float | None = None  # of the first image
        self._taken = self._due = 0.0  # seconds since then at which the last image was taken and the next one is due
        self._spent = 0.0  # seconds from taking one image to having prepared the next
        self._shown: float | None = None  # time of the last frame of a video
        self._next = source.read(0.0) if source.can_read_ahead else None

    @property
    def wait(self) -> float:
        """Seconds until the next image is due; 0 if it is."""
        return 0.0 if self._start is None else max(0.0, self._due - self._now())

    def take(self) -> SourceFrame | None:
        """The image that is due; None if none is due yet.

        Raises:
            EndOfSource: there are no more images.
            SourceError: the next image cannot be read.
        """
        now = self._now()
        if now < self._due - _EARLY:
            return None
        frame = self._next if self._source.can_read_ahead else self._source.read(now)
        if frame is None:
            raise EndOfSource
        # A little late, as timers are, the schedule is kept; where the source is slow it is shifted: there are no
        # bursts of images.
        in_time = now - self._due < self._period and self._spent <= self._period
        self._taken = self._due if in_time else now
        self._shown = frame.time
        self._due = self._taken + self._period
        return frame

    def prepare(self) -> None:
        """Read the next image; call it after publishing the image of :meth:`take`.

        Raises:
            SourceError: the next image cannot be read.
        """
        if not self._source.can_read_ahead:
            return
        self._due = self._taken + max(self._period, self._spent)  # assumes the duration of the last one
        self._next = self._source.read(self._due)
        if self._next is not None and self._next.time is not None and self._shown is not None:
            self._due = self._taken + self._next.time - self._shown
        self._spent = self._now() - self._taken

    def _now(self) -> float:
        if self._start is None:
            self._start = self._clock()
        return self._clock() - self._start
