"""Whether a person speaks, from the motion of the lips. It sees chewing and silent talking as speech, and no sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from operator import sub
from typing import Any

from face_expr_ros.core.config import ExpressionConfig

WINDOW = 1.0  # seconds; about four syllables
# Motion of the lips up to this magnitude is treated as noise, in units of AU25.
_NOISE = 0.01
_MAX_SWING = 0.3  # units of AU25; a wide opening is not more speech than a syllable
_RELEASE = 0.4  # share of the threshold below which a speaker is silent
_MAX_GAP = 0.5  # seconds without the face after which the history is discarded


class LipMotion:
    """Whether one face speaks, from AU25, the parting of the lips.

    Speech opens and closes the lips several times a second, a smile or a yawn once. The measure is therefore the sum of
    the swings of AU25 in the last second, each from one reversal to the next and counted up to a limit, without the
    largest: opening once gives 0, opening and closing at most the limit, which is half of the threshold.

    Args:
        config: the measure at which speech begins; it ends at 0.4 of that.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._threshold = config.speaking_threshold
        self._past: deque[tuple[float, float]] = deque()
        self._speaks = False

    def __call__(self, parting: float, t: float) -> float:
        """0..1 at the time ``t`` in seconds, from the parting of the lips; at least 0.5 means that the person speaks.

        Time that goes back, or a gap of more than half a second, resets the history.
        """
        if self._past and not 0.0 <= t - self._past[-1][0] <= _MAX_GAP:
            self._past.clear()
            self._speaks = False
        self._past.append((t, self._without_noise(parting)))
        while t - self._past[0][0] > WINDOW:
            self._past.popleft()
        return self._graded(self._motion())

    def _without_noise(self, parting: float) -> float:
        """The parting with a backlash: it follows only what moves by more than the noise."""
        last = self._past[-1][1] if self._past else parting
        return min(max(last, parting - _NOISE), parting + _NOISE)

    def _motion(self) -> float:
        values = [value for _, value in self._past]
        swings = [0.0]
        for change in map(sub, values[1:], values):
            if change * swings[-1] >= 0.0:
                swings[-1] += change
            else:
                swings.append(change)
        return sum(sorted(min(abs(swing), _MAX_SWING) for swing in swings)[:-1])

    def _graded(self, motion: float) -> float:
        release = _RELEASE * self._threshold
        self._speaks = motion > release if self._speaks else motion >= self._threshold
        if self._speaks:
            return 0.5 + 0.5 * min(1.0, (motion - release) / (2.0 * self._threshold - release))
        return 0.5 * max(0.0, motion) / (self._threshold + 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {"past": [list(entry) for entry in self._past], "speaks": self._speaks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._past, self._speaks = deque((t, value) for t, value in state["past"]), state["speaks"]
