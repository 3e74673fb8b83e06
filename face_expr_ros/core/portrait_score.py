"""The score of estimated blendshapes on graded faces; NumPy only.

Grades: 0 absent, 1 slight or doubtful, 2 clear, 3 strong. A column of grades is compared with the mean of the
blendshapes that it corresponds to. Signed columns (gaze up, gaze and mouth to the subject's left) are compared with a
difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CLEAR = 1.5  # minimum grade of a clear movement
STRONG = 2.5
FEWEST = 5  # minimum number of faces with a clear grade for a column to be included in the means
NOT_COUNTED = ("stretch", "cheekPuff", "mouthSide", "gazeH")

_SIDES = ("Left", "Right")


def _both(*stems: str) -> tuple[str, ...]:
    return tuple(stem + side for stem in stems for side in _SIDES)


# Column of grades -> the blendshapes whose mean is added, and those whose mean is subtracted.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "blinkL": (("eyeBlinkLeft",), ()),
    "blinkR": (("eyeBlinkRight",), ()),
    "eyeWide": (_both("eyeWide"), ()),
    "squint": (_both("eyeSquint"), ()),
    "browInnerUp": (("browInnerUp",), ()),
    "browOuterUp": (_both("browOuterUp"), ()),
    "browDown": (_both("browDown"), ()),
    "jawOpen": (("jawOpen",), ()),
    "smile": (_both("mouthSmile"), ()),
    "frown": (_both("mouthFrown"), ()),
    "pucker": (("mouthPucker",), ()),
    "funnel": (("mouthFunnel",), ()),
    "upperTeeth": (_both("mouthUpperUp"), ()),
    "lowerTeeth": (_both("mouthLowerDown"), ()),
    "press": ((*_both("mouthPress"), "mouthRollLower", "mouthRollUpper"), ()),
    "stretch": (_both("mouthStretch"), ()),
    "sneer": (_both("noseSneer"), ()),
    "cheekPuff": (("cheekPuff",), ()),
    "tongue": (("tongueOut",), ()),
    "mouthSide": (("mouthLeft",), ("mouthRight",)),
    "gazeH": (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight")),
    "gazeV": (_both("eyeLookUp"), _both("eyeLookDown")),
}


def column_values(names: Sequence[str], values: FloatArray) -> dict[str, FloatArray]:
    """(n,) value of each column from blendshapes (n, len(names)); missing blendshapes count as 0."""
    place = {name: index for index, name in enumerate(names)}

    def mean(wanted: tuple[str, ...]) -> FloatArray:
        found = [values[:, place[name]] for name in wanted if name in place]
        return np.sum(found, axis=0) / len(wanted) if found else np.zeros(len(values))

    return {column: mean(added) - mean(subtracted) for column, (added, subtracted) in COLUMNS.items()}


def score(grades: Mapping[str, FloatArray], read: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The score of estimated values on grades.

    Args:
        grades: by column, (n,) grades; NaN where not visible.
        read: by column, (n,) estimated values, see `column_values`.
    Returns:
        mean_r and mean_auc over the included columns (None instead of NaN), and by column: r, auc, rest (mean value at
        grade 0), full (mean value at grade 2.5 or more), clear (number of faces of grade 1.5 or more) and counts
        (whether the column is included in the means).
    """
    columns = {column: _column_score(column, grades[column], read[column]) for column in COLUMNS if column in grades}
    counted = [row for row in columns.values() if row["counts"]]
    return {"mean_r": _mean(counted, "r"), "mean_auc": _mean(counted, "auc"), "columns": columns}


def _column_score(column: str, grades: FloatArray, read: FloatArray) -> dict[str, Any]:
    seen = np.isfinite(grades)
    grades, read = grades[seen], read[seen]
    clear = grades >= CLEAR
    return {
        "r": pearson(grades, read),
        "auc": area_under_roc(clear, read),
        "rest": _mean_where(read, grades == 0),
        "full": _mean_where(read, grades >= STRONG),
        "strong": int((grades >= STRONG).sum()),
        "clear": int(clear.sum()),
        "counts": column not in NOT_COUNTED and int(clear.sum()) >= FEWEST,
    }


def pearson(truth: FloatArray, read: FloatArray) -> float | None:
    """Pearson's r; 0 if the estimate is constant, None if the truth is constant."""
    if len(truth) == 0 or np.ptp(truth) == 0:
        return None
    if np.ptp(read) == 0:
        return 0.0
    return float(np.corrcoef(truth, read)[0, 1])


def area_under_roc(positive: NDArray[np.bool_], read: FloatArray) -> float | None:
    """The probability that a positive face has the higher value; ties count half; None if undefined."""
    count = int(positive.sum())
    if count in (0, len(positive)):
        return None
    _, place, ties = np.unique(read, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]  # the mean rank of equal values, from 1
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def _mean_where(read: FloatArray, chosen: NDArray[np.bool_]) -> float | None:
    return float(read[chosen].mean()) if chosen.any() else None


def _mean(columns: Sequence[Mapping[str, Any]], measure: str) -> float | None:
    values = [row[measure] for row in columns if row[measure] is not None]
    return float(np.mean(values)) if values else None
