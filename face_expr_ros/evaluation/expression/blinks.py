"""Blinks: counted while a face is watched, and held against those that a person counted."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from face_expr_ros.core.types import Blendshapes

EYES = ("eyeBlinkLeft", "eyeBlinkRight")
TOLERANCE = 3  # frames that a blink may be aside of its label

# Parts of the way from open eyes to the deepest closure of late: a label begins when the lids are half closed.
_CLOSED, _OPENED = 0.5, 0.35
# What a closure reads at least, 0 open and 1 the end of the scale: readers differ in how much they say of closed eyes,
# but eyes that look down or laugh read as closed in part, and a face that has not blinked yet shows no closure.
_LEAST_DEPTH = 0.4
# Seconds. Spontaneous blinks take 0.1 to 0.4 from open to open (Stern, Walrath and Goldstein, 1984), of which the lids
# are half closed for half of the time; one frame at 30 Hz is noise. Longer than a second, a person has closed the eyes.
_SHORTEST, _LONGEST = 0.05, 1.0
_MEMORY = (
    20.0  # seconds over which open and closed eyes are learned: people blink every 3 to 10, and most of it is open
)
_MOST_OPEN = 0.5  # reads as open at most: eyes that stay closed do not become the measure
_LONGEST_GAP = 0.5  # seconds without the face, after which nobody knows what its eyes did


@dataclass(frozen=True)
class Blink:
    """The eyes of one face were closed from ``begin`` to ``end``, seconds."""

    begin: float
    end: float


class BlinkCounter:
    """Counts the blinks of one face, live.

    What open and closed eyes read differs between people and between readers, so it is learned: open is the median of
    the last seconds and closed their maximum. A closure begins half of the way between them and ends a little lower;
    what is shorter or longer than a blink is none. The eye that is less closed decides: a wink is no blink.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, float]] = deque()
        self._begin: float | None = None
        self._last: float | None = None
        self.count = 0

    def __call__(self, blendshapes: Blendshapes, t: float) -> Blink | None:
        """A blink that ended just now; ``t`` is the time of these values in seconds.

        Time that goes back, or a face that was away for longer than half a second, starts anew.

        Raises:
            ValueError: the blendshapes do not say how far the eyes are closed.
        """
        closure = both_closed(blendshapes)
        if self._last is None or not 0.0 <= t - self._last <= _LONGEST_GAP:
            self._past.clear()
            self._begin = None
        last, self._last = self._last, t
        depth = self._depth(closure, t)
        if self._begin is None:
            self._begin = t if depth > _CLOSED else None
            return None
        return self._finish(t, last or t) if depth < _OPENED else None

    def _depth(self, closure: float, t: float) -> float:
        """0 is open, as this person's eyes were lately, and 1 closed, as they were lately."""
        self._past.append((t, closure))
        while t - self._past[0][0] > _MEMORY:
            self._past.popleft()
        past = np.array([value for _, value in self._past])
        level = min(float(np.median(past)), _MOST_OPEN)
        return (closure - level) / max(float(past.max()) - level, _LEAST_DEPTH * (1.0 - level))

    def _finish(self, t: float, last: float) -> Blink | None:
        begin, self._begin = self._begin, None
        if begin is None or not _SHORTEST <= t - begin <= _LONGEST:
            return None
        self.count += 1
        return Blink(begin, last)


def both_closed(blendshapes: Blendshapes) -> float:
    """eyeBlink of the eye that is less closed, 0..1. Raises ValueError where the blendshapes have no eyeBlink."""
    if missing := [name for name in EYES if name not in blendshapes.names]:
        raise ValueError(
            f"blendshapes with {' and '.join(EYES)} were wanted, {missing[0]} is not among {blendshapes.names[:4]}...; "
            "read blinks from a backend with ARKit's names"
        )
    return float(min(blendshapes.values[blendshapes.names.index(name)] for name in EYES))


def read_labels(path: Path) -> list[tuple[int, int]]:
    """First and last frame of each blink of a clip, from a CSV with the columns first and last; # begins a comment.

    Raises:
        ValueError: the file cannot be read, or a row is not two frames in their order.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        labels = [(int(row["first"]), int(row["last"])) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as blinks, rows of first,last frame ({error})") from error
    if bad := [label for label in labels if not 0 <= label[0] <= label[1]]:
        raise ValueError(f"{str(path)!r}: a first and a last frame were wanted, {bad[0]} was given")
    return labels


def score(found: Sequence[tuple[int, int]], labels: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Precision, recall and F1 of found blinks, first and last frame each, against labels; and how many there are.

    A found blink is right where it overlaps a label or is within `TOLERANCE` frames of it; one for each label.
    """
    right = _matches(found, labels)
    precision, recall = (right / len(all_of) if all_of else 1.0 for all_of in (found, labels))
    both = precision + recall
    f1 = 2.0 * precision * recall / both if both else 0.0
    counts = {"labeled": float(len(labels)), "found": float(len(found)), "matched": float(right)}
    return {"precision": precision, "recall": recall, "f1": f1} | counts


def _matches(found: Sequence[tuple[int, int]], labels: Sequence[tuple[int, int]]) -> int:
    near = [[begin <= last + TOLERANCE and first <= end + TOLERANCE for first, last in labels] for begin, end in found]
    if not near or not labels:
        return 0
    pairs = np.array(near, dtype=float)
    return int(pairs[linear_sum_assignment(-pairs)].sum())
