"""Reports of an evaluation on AFLW2000-3D: a CSV table of all images and a self-contained HTML page.

The page contains images of the data set; the data set's terms of use apply.
"""

from __future__ import annotations

import csv
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.atomic_files import atomic_text_file
from face_expr_ros.core.types import FloatArray
from face_expr_ros.drawing.points import CLOSED_CHAINS, OPEN_CHAINS
from face_expr_ros.evaluation import html_page as page
from face_expr_ros.evaluation.aflw2000 import BIN_NAMES, Errors, Prediction
from face_expr_ros.evaluation.aflw2000_data import Dataset
from face_expr_ros.evaluation.aflw2000_fits import Evaluation
from face_expr_ros.evaluation.curves import cumulative_curves, error_by_yaw, require_matplotlib
from face_expr_ros.sources.image_files import read_image

_SHOWN = 18  # maximum number of images in a gallery
_PICTURE_SIDE = 360  # pixels
_MARGIN = 0.35  # margin around the face, fraction of its size
_TRUTH_COLOR, _FIT_COLOR = (80, 200, 60), (40, 60, 255)  # BGR


def open_report_folder(folder: Path) -> None:
    """Create the folder and check, before the evaluation, that a report can be written.

    Raises:
        ValueError: matplotlib is not installed.
        OSError: the folder cannot be created.
    """
    require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)


def write_report(folder: Path, dataset: Dataset, evaluation: Evaluation) -> None:
    """Write ``images.csv`` and ``report.html``."""
    write_csv(folder / "images.csv", dataset, evaluation.errors)
    write_page(folder / "report.html", dataset, evaluation)


def write_csv(path: Path, dataset: Dataset, errors: Errors) -> None:
    """Write one row for each image; errors are empty if no face was found."""
    columns: dict[str, Any] = {
        "name": dataset.truth.names,
        "yaw_deg": np.degrees(dataset.truth.angles[:, 0]),
        "yaw_bin": [BIN_NAMES[number] for number in errors.bins],
        "found": errors.found.astype(int),
    }
    columns |= {f"nme_{kind}": values for kind, values in errors.nme.items()}
    columns |= {f"mouth_nme_{kind}": values for kind, values in errors.mouth_nme.items()}
    columns |= {f"{name}_error_deg": errors.angles[:, k] for k, name in enumerate(("yaw", "pitch", "roll"))}
    columns |= {"geodesic_deg": errors.geodesic, "counts_for_pose": errors.posed.astype(int)}
    with atomic_text_file(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))


def write_page(path: Path, dataset: Dataset, evaluation: Evaluation) -> None:
    """Write the report as one self-contained HTML file."""
    errors, result = evaluation.errors, evaluation.result
    parts = [
        f"<h1>AFLW2000-3D: {escape(result['bundle'])}, {escape(result['fitter'])}</h1>",
        *(f"<p>{escape(text)}</p>" for text in result["notes"]),
        _landmark_table(result),
        _pose_table(result),
        f'<div class="row">{page.image(cumulative_curves(errors), "png", "cumulative error curves")}',
        f"{page.image(error_by_yaw(errors, np.degrees(dataset.truth.angles[:, 0])), 'png', 'error by yaw')}</div>",
        *_gallery("Largest errors", dataset, evaluation, _worst(errors)),
        *_gallery(f"Not found: {(~errors.found).sum()}", dataset, evaluation, _lost(errors)),
    ]
    page.write_page(path, "AFLW2000-3D", parts)


def result_lines(result: dict[str, Any]) -> list[str]:
    """The result as lines for a terminal."""
    lines = [f"{'NME, percent':32}" + "".join(f"{name:>8}" for name in _HEADINGS)]
    lines += [
        f"{name:32}" + "".join(f"{page.text(value):>8}" for value in values) for name, values in landmark_rows(result)
    ]
    lines += ["", *(f"{name:32}{page.text(value):>8}" for name, value in pose_rows(result))]
    return [*lines, "", *result["notes"]]


_HEADINGS = (*BIN_NAMES, "of bins", "plain")


def landmark_rows(result: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    """Rows of a name and five values: three bins, the mean of the bins, the mean over all images."""
    rows = []
    for group, words in (("nme", "all points"), ("mouth_nme", "mouth")):
        for kind, values in result[group].items():
            name = f"{words}, {kind.replace('_', ' ')}"
            rows.append((name, [*values["bins"], values["mean_of_bins"], values["mean"]]))
    rate = result["detection_rate"]
    percent = [None if part is None else 100.0 * part for part in (*rate["bins"], None, rate["all"])]
    return [*rows, ("faces found, percent", percent)]


def pose_rows(result: dict[str, Any]) -> list[tuple[str, float | None]]:
    """Rows of a name and a value."""
    rows: list[tuple[str, float | None]] = [
        (f"{name}, mean error, degrees", value) for name, value in result["pose_mae_deg"].items()
    ]
    rows += [(f"geodesic, {name}, degrees", value) for name, value in result["geodesic_deg"].items()]
    return [*rows, ("expression R2", result["expression_r2"])]


def _gallery(title: str, dataset: Dataset, evaluation: Evaluation, rows: list[int]) -> list[str]:
    """A gallery of images with both sets of points; empty for no images."""
    if not rows:
        return []
    figures = "".join(_figure(dataset, evaluation, row) for row in rows)
    return [f"<h2>{title}</h2><p>Green: ground truth. Red: the fit.</p>", f'<div class="faces">{figures}</div>']


def _worst(errors: Errors) -> list[int]:
    """Images with a face and the largest errors, in descending order."""
    values = errors.nme[_compared(errors)]
    order = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")[:_SHOWN]
    return [row for row in order.tolist() if errors.found[row]]


def _lost(errors: Errors) -> list[int]:
    """The first images without a detected face."""
    return np.flatnonzero(~errors.found)[:_SHOWN].tolist()


def _compared(errors: Errors) -> str:
    return "reannotated" if "reannotated" in errors.nme else "original_from_zero"


def _figure(dataset: Dataset, evaluation: Evaluation, row: int) -> str:
    truth, prediction = dataset.truth, evaluation.predictions[row]
    points = truth.original[row] - 1.0 if truth.reannotated is None else truth.reannotated[row]
    picture = _picture(read_image(dataset.paths[row]), points, prediction)
    error = evaluation.errors.nme[_compared(evaluation.errors)][row]
    predicted = "not found" if prediction is None else f"NME {error:.1f}"
    caption = f"{truth.names[row]}: {predicted}, yaw {np.degrees(truth.angles[row, 0]):.0f} degrees"
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    return f"<figure>{page.image(encoded, 'jpeg', caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def _picture(image: NDArray[np.uint8], points: FloatArray, prediction: Prediction | None) -> NDArray[np.uint8]:
    """An enlarged crop around the face with both sets of points."""
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    side = (1.0 + 2.0 * _MARGIN) * np.ptp(points, axis=0).max()
    scale = _PICTURE_SIDE / side
    shift = _PICTURE_SIDE / 2 - scale * center
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    picture = np.asarray(cv2.warpAffine(image, matrix, (_PICTURE_SIDE, _PICTURE_SIDE)), dtype=np.uint8)
    _draw_chains(picture, scale * points + shift, _TRUTH_COLOR)
    if prediction is not None:
        _draw_chains(picture, scale * prediction.landmarks68 + shift, _FIT_COLOR)
    return picture


def _draw_chains(picture: NDArray[np.uint8], points: FloatArray, color: tuple[int, int, int]) -> None:
    """Draw the 68 points (68, 2) as thin lines without dots, so that two sets are distinguishable."""
    fine = np.round(points * 16).astype(np.int32)  # OpenCV's fixed-point coordinates, 1/16 pixel
    for chains, closed in ((OPEN_CHAINS, False), (CLOSED_CHAINS, True)):
        cv2.polylines(picture, [fine[list(chain)] for chain in chains], closed, color, 2, cv2.LINE_AA, shift=4)


def _landmark_table(result: dict[str, Any]) -> str:
    rows = [page.row(name, values) for name, values in landmark_rows(result)]
    return f"<h2>Landmarks</h2><table>{page.heading('NME, percent', _HEADINGS)}{''.join(rows)}</table>"


def _pose_table(result: dict[str, Any]) -> str:
    rows = [page.row(name, [value]) for name, value in pose_rows(result)]
    return f"<h2>Pose and expression</h2><table>{''.join(rows)}</table>"


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}" if np.isfinite(value) else ""
    return value
