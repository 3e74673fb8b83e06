"""Blinks in blendshapes, online."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from typing import Any

from face_expr_ros.core.arkit import columns
from face_expr_ros.core.types import BLINK, Blendshapes, FaceEvent

EYES = ("eyeBlinkLeft", "eyeBlinkRight")

# Thresholds relative to open eyes (0) and the deepest recent closure (1): a closure begins when the lids are half
# closed and ends below _OPENED. Eyes that stay narrow, as in a laugh, do not open that far between two blinks: a
# closure also ends at less than half if the lids close again, by _AGAIN.
_CLOSED, _OPENED, _AGAIN = 0.5, 0.35, 0.25
# Minimum range between open and closed eyes, as a fraction of the scale above open: backends differ in their values
# for closed eyes, but looking down or laughing also closes the lids in part, and before the first blink no closure is
# known.
_MIN_DEPTH = 0.4
# Seconds. Spontaneous blinks take 0.1 to 0.4 from open to open (Stern, Walrath and Goldstein, 1984), and the lids are
# at least half closed for half of that time; one frame at 30 Hz is noise. After more than a second, eyes are closed.
_MIN_DURATION, _MAX_DURATION = 0.05, 1.0
_MEMORY = 20.0  # seconds of history for open and closed eyes; people blink every 3 to 10 seconds
_MAX_OPEN = 0.5  # maximum value of open eyes, so that eyes that stay closed do not become the reference
_MAX_GAP = 0.5  # seconds without the face after which the history is discarded


class BlinkDetector:
    """Detects the blinks of one face, online.

    The values of open and closed eyes differ between people and backends and are therefore estimated: open is the
    median of the recent values, closed their maximum. A closure begins halfway between them and ends slightly below, or
    where the lids are less than half closed and then close again; closures that are too short or too long are not
    blinks. The less closed eye is used, so a wink is not a blink.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, float]] = deque()
        self._sorted: list[float] = []  # the past values
        self._begin: float | None = None
        self._last: float | None = None
        self._narrowest = (1.0, 0.0)  # smallest depth since the closure began, and its time

    def __call__(self, blendshapes: Blendshapes, t: float) -> FaceEvent | None:
        """A blink of both eyes that has ended with these values, or None; ``t`` is their time in seconds.

        Time that goes back, or a gap of more than half a second, resets the history. NaN is skipped.

        Raises:
            ValueError: the blendshapes lack eyeBlinkLeft or eyeBlinkRight.
        """
        closure = both_closed(blendshapes)
        if math.isnan(closure):
            return None
        if self._last is None or not 0.0 <= t - self._last <= _MAX_GAP:
            self._past.clear()
            self._sorted.clear()
            self._begin = None
        self._last = t
        depth = self._depth(closure, t)
        if self._begin is None:
            self._begin, self._narrowest = (t, (depth, t)) if depth > _CLOSED else (None, (1.0, t))
            return None
        if depth < _OPENED:
            return self._finish(t)
        opened, when = self._narrowest = min(self._narrowest, (depth, t))
        if opened < _CLOSED and depth > opened + _AGAIN:
            blink = self._finish(t, end=when)
            self._begin, self._narrowest = t, (depth, t)
            return blink
        return None

    def _depth(self, closure: float, t: float) -> float:
        """Closure relative to this person's recent open (0) and closed (1) eyes."""
        self._past.append((t, closure))
        insort(self._sorted, closure)
        while t - self._past[0][0] > _MEMORY:
            _, old = self._past.popleft()
            del self._sorted[bisect_left(self._sorted, old)]
        count = len(self._sorted)
        median = (self._sorted[(count - 1) // 2] + self._sorted[count // 2]) / 2
        level = min(median, _MAX_OPEN)
        return (closure - level) / max(self._sorted[-1] - level, _MIN_DEPTH * (1.0 - level))

    def _finish(self, t: float, end: float | None = None) -> FaceEvent | None:
        """The blink that ended at ``end``, by default now; its duration is the time since it began."""
        begin, self._begin = self._begin, None
        if begin is None or not _MIN_DURATION <= (t if end is None else end) - begin <= _MAX_DURATION:
            return None
        return FaceEvent(BLINK, t - begin)

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        past = [list(entry) for entry in self._past]
        return {"past": past, "begin": self._begin, "last": self._last, "narrowest": list(self._narrowest)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._past = deque((t, value) for t, value in state["past"])
        self._sorted = sorted(value for _, value in self._past)
        self._begin, self._last, self._narrowest = state["begin"], state["last"], tuple(state["narrowest"])


def both_closed(blendshapes: Blendshapes) -> float:
    """eyeBlink of the less closed eye, 0..1. Raises ValueError if the blendshapes lack it."""
    places = columns(blendshapes.names, EYES)
    if places is None:
        missing = next(name for name in EYES if name not in blendshapes.names)
        raise ValueError(
            f"expected blendshapes with {' and '.join(EYES)}, got {blendshapes.names[:4]}... without {missing}; "
            "use an expression backend with ARKit names"
        )
    left, right = places
    return min(float(blendshapes.values[left]), float(blendshapes.values[right]))
