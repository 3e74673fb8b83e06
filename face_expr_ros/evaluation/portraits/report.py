"""Reports of the result on graded faces: text lines, a Markdown table, and a page with the worst faces of each column.

The page embeds the images: handle it with the same care as the images.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from face_expr_ros.core.portrait_grades import Grades
from face_expr_ros.core.portrait_score import COLUMNS, FloatArray
from face_expr_ros.evaluation import html_page as page
from face_expr_ros.evaluation.portraits.measure import Reading
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.sources.source_frame import SourceError

_MEASURES = ("r", "auc", "rest", "full")
_SHOWN = 12  # number of faces per column
_SIDE = 240  # pixels


def result_lines(result: Mapping[str, Any]) -> list[str]:
    """The result as lines for a terminal."""
    readers = _readers(result)
    titles = [f"{reader} {measure}" for reader in readers for measure in _MEASURES]
    lines = [f"{'column':14}{'clear':>7}" + "".join(f"{title:>16}" for title in titles)]
    for name, row in result["columns"].items():
        mark = "" if row["counts"] else " -"
        cells = [readers[reader]["columns"][name][measure] for reader in readers for measure in _MEASURES]
        lines.append(f"{name + mark:14}{row['clear']:>7}" + "".join(f"{page.text(cell):>16}" for cell in cells))
    for reader, of_reader in readers.items():
        means = f"mean r {page.text(of_reader['mean_r'])}, mean AUC {page.text(of_reader['mean_auc'])}"
        lines.append(f"{reader}: {means}, {of_reader['found']} of {of_reader['faces']} faces found")
    return lines


def table(result: Mapping[str, Any]) -> str:
    """The included columns as a Markdown table."""
    readers = _readers(result)
    titles = [f"{reader}, {measure}" for reader in readers for measure in _MEASURES]
    lines = ["| column | clear | " + " | ".join(titles) + " |", "|---|" + "---|" * (len(titles) + 1)]
    for name, row in result["columns"].items():
        if row["counts"]:
            cells = [_short(readers[reader]["columns"][name][m]) for reader in readers for m in _MEASURES]
            lines.append(f"| {name} | {row['clear']} | " + " | ".join(cells) + " |")
    cells = [_short(readers[reader].get(f"mean_{m}")) for reader in readers for m in _MEASURES]
    lines.append("| mean | | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_page(path: Path, images: Path, grades: Grades, result: Mapping[str, Any], reading: Reading) -> None:
    """Write the table, and the faces with the largest errors of each column, as one HTML file."""
    rows = [f"<pre>{escape(line)}</pre>" for line in ["\n".join(result_lines(result))]]
    parts = ["<h1>Graded faces</h1>", *rows]
    for column in grades.columns:
        parts += _gallery(column, images, grades, reading)
    page.write_page(path, "Graded faces", parts)


def worst(grades: FloatArray, read: FloatArray, count: int = _SHOWN) -> list[int]:
    """Indices of the faces with the largest differences between the estimate, 0..1, and a third of the grade."""
    errors = np.abs(read - grades / 3.0)
    order = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable")[:count]
    return [int(index) for index in order if np.isfinite(errors[index])]


def _gallery(column: str, images: Path, grades: Grades, reading: Reading) -> list[str]:
    graded, read = grades.columns[column], reading.columns[column]
    added, subtracted = COLUMNS[column]
    meaning = ", ".join(added) + (f" less {', '.join(subtracted)}" if subtracted else "")
    figures = [
        f"<figure>{_thumbnail(images / grades.files[index])}<figcaption>{escape(grades.files[index])}: graded "
        f"{graded[index]:g}, read {read[index]:.2f}</figcaption></figure>"
        for index in worst(graded, read)
    ]
    return [f"<h2>{escape(column)}</h2><p>{escape(meaning)}</p>", '<div class="faces">', *figures, "</div>"]


def _thumbnail(path: Path) -> str:
    try:
        image = read_image(path)
    except SourceError:
        return ""
    scale = _SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return page.image(cv2.imencode(".jpg", small)[1].tobytes(), "jpeg", path.name)


def _readers(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {"pipeline": result} | ({"mediapipe": result["mediapipe"]} if "mediapipe" in result else {})


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
