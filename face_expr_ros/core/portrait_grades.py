"""A table of graded faces: a CSV file with one row per image."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expr_ros.core.portrait_score import COLUMNS, FloatArray

UNSEEN = ("x", "")  # cells for movements that are not visible
_STYLIZED = 2.0  # value of the column occluded: the image is stylized or broken
_SIGNS = {"L": 1.0, "R": -1.0, "U": 1.0, "D": -1.0}  # the subject's left and up are positive


@dataclass(frozen=True)
class Grades:
    """Graded images.

    Attributes:
        files: (n) file names of the images.
        columns: by column of the rubric, (n,) grades; NaN where not visible.
        passes: (n,) number of grading passes over which the grades are averaged.
    """

    files: tuple[str, ...]
    columns: dict[str, FloatArray]
    passes: FloatArray


def read_grades(path: Path) -> Grades:
    """The graded images of a CSV file, without those that are marked as stylized or broken.

    Raises:
        ValueError: the file cannot be read, has no column `file` or no column of the rubric, or a cell is not a grade.
    """
    rows = [row for row in _rows(path) if _grade(row.get("occluded") or "0", "occluded", row, path) < _STYLIZED]
    columns = [column for column in COLUMNS if rows and column in rows[0]]
    if not columns or "file" not in rows[0]:
        raise ValueError(
            f"{str(path)!r}: expected a table of graded faces with the column 'file' and columns such as 'jawOpen'"
        )
    return Grades(
        files=tuple(row["file"] for row in rows),
        columns={name: np.array([_grade(row[name], name, row, path) for row in rows]) for name in columns},
        passes=np.array([_grade(row.get("passes") or "1", "passes", row, path) for row in rows]),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"expected a table of graded faces (CSV), cannot read {str(path)!r}: {error}") from error


def _grade(cell: str | None, column: str, row: dict[str, str], path: Path) -> float:
    """A number, optionally after the letter of a direction, as in L2; NaN where not visible."""
    text = (cell or "").strip()
    if text in UNSEEN:
        return float("nan")
    sign, digits = (_SIGNS[text[0]], text[1:]) if text[0] in _SIGNS else (1.0, text)
    try:
        return sign * float(digits)
    except ValueError:
        raise ValueError(
            f"{str(path)!r}: expected a grade from 0 to 3 or x for {column} of {row.get('file')!r}, got {text!r}"
        ) from None
