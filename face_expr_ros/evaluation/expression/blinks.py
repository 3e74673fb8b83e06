"""Manual labels of blinks, and scores of detected blinks against them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

TOLERANCE = 3  # maximum offset of a blink from its label, frames


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
