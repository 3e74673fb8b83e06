"""Detects blinks in blendshapes, online, and scores them against manual labels."""

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
TOLERANCE = 3  # maximum offset of a blink from its label, frames

# Thresholds relative to open eyes (0) and the deepest recent closure (1); a label begins when the lids are half closed.
_CLOSED, _OPENED = 0.5, 0.35
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


@dataclass(frozen=True)
class Blink:
    """Closure of both eyes from ``begin`` to ``end``, seconds."""

    begin: float
    end: float


class BlinkCounter:
    """Counts the blinks of one face, online.

    The values of open and closed eyes differ between people and backends and are therefore estimated: open is the
    median of the recent values, closed their maximum. A closure begins halfway between them and ends slightly below;
    closures that are too short or too long are not blinks. The less closed eye is used, so a wink is not a blink.
    """

    def __init__(self) -> None:
        self._past: deque[tuple[float, float]] = deque()
        self._begin: float | None = None
        self._last: float | None = None
        self.count = 0

    def __call__(self, blendshapes: Blendshapes, t: float) -> Blink | None:
        """A blink that ends with these values, or None; ``t`` is their time in seconds.

        Time that goes back, or a gap of more than half a second, resets the history.

        Raises:
            ValueError: the blendshapes lack eyeBlinkLeft or eyeBlinkRight.
        """
        closure = both_closed(blendshapes)
        if self._last is None or not 0.0 <= t - self._last <= _MAX_GAP:
            self._past.clear()
            self._begin = None
        last, self._last = self._last, t
        depth = self._depth(closure, t)
        if self._begin is None:
            self._begin = t if depth > _CLOSED else None
            return None
        return self._finish(t, last or t) if depth < _OPENED else None

    def _depth(self, closure: float, t: float) -> float:
        """Closure relative to this person's recent open (0) and closed (1) eyes."""
        self._past.append((t, closure))
        while t - self._past[0][0] > _MEMORY:
            self._past.popleft()
        past = np.array([value for _, value in self._past])
        level = min(float(np.median(past)), _MAX_OPEN)
        return (closure - level) / max(float(past.max()) - level, _MIN_DEPTH * (1.0 - level))

    def _finish(self, t: float, last: float) -> Blink | None:
        begin, self._begin = self._begin, None
        if begin is None or not _MIN_DURATION <= t - begin <= _MAX_DURATION:
            return None
        self.count += 1
        return Blink(begin, last)


def both_closed(blendshapes: Blendshapes) -> float:
    """eyeBlink of the less closed eye, 0..1. Raises ValueError if the blendshapes lack it."""
    if missing := [name for name in EYES if name not in blendshapes.names]:
        raise ValueError(
            f"expected blendshapes with {' and '.join(EYES)}, got {blendshapes.names[:4]}... without {missing[0]}; "
            "use an expression backend with ARKit names"
        )
    return float(min(blendshapes.values[blendshapes.names.index(name)] for name in EYES))


def read_labels(path: Path) -> list[tuple[int, int]]:
    """First and last frame of each blink of a clip, from a CSV with columns ``first`` and ``last``; # starts a comment.

    Raises:
        ValueError: the file cannot be read, or a row is not an ordered pair of frames.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        labels = [(int(row["first"]), int(row["last"])) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r}: expected a CSV of blinks with columns first,last: {error}") from error
    if bad := [label for label in labels if not 0 <= label[0] <= label[1]]:
        raise ValueError(f"{str(path)!r}: expected first <= last, both at least 0, got {bad[0]}")
    return labels


def score(found: Sequence[tuple[int, int]], labels: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Precision, recall, F1 and counts of detected blinks against labels, each a first and a last frame.

    A detection is correct if it is within `TOLERANCE` frames of a label; each label is matched at most once.
    """
    matched = _matches(found, labels)
    precision, recall = (matched / len(all_of) if all_of else 1.0 for all_of in (found, labels))
    both = precision + recall
    f1 = 2.0 * precision * recall / both if both else 0.0
    counts = {"labeled": float(len(labels)), "found": float(len(found)), "matched": float(matched)}
    return {"precision": precision, "recall": recall, "f1": f1} | counts


def _matches(found: Sequence[tuple[int, int]], labels: Sequence[tuple[int, int]]) -> int:
    near = [[begin <= last + TOLERANCE and first <= end + TOLERANCE for first, last in labels] for begin, end in found]
    if not near or not labels:
        return 0
    pairs = np.array(near, dtype=float)
    return int(pairs[linear_sum_assignment(-pairs)].sum())
