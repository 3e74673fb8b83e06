"""The time of each frame, from image stamps as camera drivers really send them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from statistics import median
from typing import Any

_SECOND = 1_000_000_000
_RESTART_NS = _SECOND  # a step back of at least this much restarts the stream: a looping bag, or a simulation's reset
_OLD_IMAGES = 4  # so many images in a row that are older than the latest one restart the stream, too
_MAX_LEAD_NS = _SECOND // 5  # how far the time may be ahead of the stamps before these are counted from there
_FIRST_STAMP_NS = 60 * _SECOND  # after stamps of zero, a larger one is not a step but the first valid stamp
_DEFAULT_INTERVAL_NS = 33_333_333
_INTERVALS = 15  # number of intervals of which the median is used
_MIN_STEP = 4  # the minimum step is the frame interval divided by this


class StampKind(Enum):
    """How an image stamp relates to the stamps before it."""

    LATER = "later"
    LATE = "late"  # slightly older than the latest stamp
    STANDING = "standing"  # equal to the latest stamp
    MISSING = "missing"  # zero or negative, although earlier stamps were not
    AHEAD = "ahead"  # much later than its time of arrival explains: an error, unless the next stamps follow it
    RESTART = "restart"  # the stream starts anew


class FrameClock:
    """Turns the stamps of a stream of images into strictly increasing times.

    The times advance with the stamps. An image that is slightly older than the latest one is a quarter of a frame
    interval after it, so that filters and the tracker hardly weight it. While the stamps stand still or are zero, time
    advances with the arrival of the images, or by the usual interval where that is not known. So it does for a single
    stamp far ahead. Only a step back of at least one second, or several old images in a row, restart the
    stream.

    Attributes:
        kind: of the latest stamp.
        jump_ns: by how much it is older than the latest stamp before it, or ahead of it; 0 if it is neither.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all images: the next stamp is the first of a stream."""
        self.kind = StampKind.LATER
        self.jump_ns = 0
        self._time_ns: int | None = None  # of the last frame
        self._stamp_ns = 0  # the latest one
        self._offset_ns = 0  # from stamps to times
        self._arrival_ns: int | None = None
        # Nanoseconds from the stamp to the arrival of recent images, and stamp and lag of the last one if it was AHEAD.
        self._lags: deque[int] = deque(maxlen=_INTERVALS)
        self._ahead: tuple[int, int] | None = None
        self._old_images = 0  # in a row
        self._intervals: deque[int] = deque(maxlen=_INTERVALS)

    def __call__(self, stamp_ns: int, arrival_ns: int | None = None) -> int:
        """The time of a frame in nanoseconds, later than that of the frame before unless `kind` is RESTART.

        Args:
            stamp_ns: of the image, nanoseconds; a negative one counts as zero.
            arrival_ns: when the image was received, in nanoseconds of any clock; None if it is not known.
        """
        stamp_ns = max(0, stamp_ns)
        elapsed_ns = self._elapsed_since_arrival(arrival_ns)
        kind = self._kind_of(stamp_ns, arrival_ns)
        if kind is StampKind.RESTART:
            jump_ns = self._stamp_ns - stamp_ns
            self.reset()
            self._arrival_ns = arrival_ns
        else:
            is_jump = kind in (StampKind.LATE, StampKind.AHEAD)
            jump_ns = abs(self._stamp_ns - stamp_ns) if is_jump else 0
        self.kind, self.jump_ns = kind, jump_ns
        self._time_ns = self._next_time(kind, stamp_ns, elapsed_ns)
        return self._time_ns

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return vars(self) | {"kind": self.kind.value, "_intervals": list(self._intervals), "_lags": list(self._lags)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        vars(self).update(state)
        self.kind, self._ahead = StampKind(state["kind"]), state["_ahead"] and tuple(state["_ahead"])
        self._intervals, self._lags = (deque(state[name], maxlen=_INTERVALS) for name in ("_intervals", "_lags"))

    def _elapsed_since_arrival(self, arrival_ns: int | None) -> int | None:
        last, self._arrival_ns = self._arrival_ns, arrival_ns
        return None if last is None or arrival_ns is None else arrival_ns - last

    def _kind_of(self, stamp_ns: int, arrival_ns: int | None) -> StampKind:
        if self._is_ahead(stamp_ns, arrival_ns):
            return StampKind.AHEAD
        if self._time_ns is None or stamp_ns > self._stamp_ns:
            return StampKind.LATER
        if stamp_ns == self._stamp_ns:
            return StampKind.STANDING
        if stamp_ns == 0:
            return StampKind.MISSING
        self._old_images += 1
        restarts = self._stamp_ns - stamp_ns >= _RESTART_NS or self._old_images >= _OLD_IMAGES
        return StampKind.RESTART if restarts else StampKind.LATE

    def _is_ahead(self, stamp_ns: int, arrival_ns: int | None) -> bool:
        """Whether an image with a later stamp arrived far too early for it; not if it follows another such stamp.

        The shortest of recent lags is compared: an image that waited while the process was stopped is no reference.
        """
        if arrival_ns is None or stamp_ns == 0:
            return False
        ahead, lag_ns = self._ahead, arrival_ns - stamp_ns
        if ahead is not None and stamp_ns >= ahead[0]:
            self._lags.append(ahead[1])
        is_ahead = 0 < self._stamp_ns < stamp_ns and bool(self._lags) and min(self._lags) - lag_ns >= _RESTART_NS
        self._ahead = (stamp_ns, lag_ns) if is_ahead else None
        if not is_ahead:
            self._lags.append(lag_ns)
        return is_ahead

    def _next_time(self, kind: StampKind, stamp_ns: int, elapsed_ns: int | None) -> int:
        if self._time_ns is None:
            self._stamp_ns = stamp_ns
            return stamp_ns
        interval_ns = self._interval()
        earliest_ns = self._time_ns + max(1, interval_ns // _MIN_STEP)
        if kind is StampKind.LATE:
            return earliest_ns
        arrival_time_ns = max(earliest_ns, self._time_ns + (interval_ns if elapsed_ns is None else elapsed_ns))
        if kind is StampKind.LATER:
            return self._advance(stamp_ns, earliest_ns, arrival_time_ns)
        if kind is StampKind.AHEAD:
            return arrival_time_ns
        if arrival_time_ns - (self._stamp_ns + self._offset_ns) > _MAX_LEAD_NS:
            self._offset_ns = arrival_time_ns - self._stamp_ns
        return arrival_time_ns

    def _advance(self, stamp_ns: int, earliest_ns: int, arrival_time_ns: int) -> int:
        """The time of a stamp later than all others."""
        step_ns = stamp_ns - self._stamp_ns
        if self._stamp_ns == 0 and step_ns > _FIRST_STAMP_NS:
            self._offset_ns = arrival_time_ns - stamp_ns
        elif step_ns < _RESTART_NS:
            self._intervals.append(step_ns)
        self._stamp_ns, self._old_images = stamp_ns, 0
        return max(earliest_ns, stamp_ns + self._offset_ns)

    def _interval(self) -> int:
        return int(median(self._intervals)) if self._intervals else _DEFAULT_INTERVAL_NS
