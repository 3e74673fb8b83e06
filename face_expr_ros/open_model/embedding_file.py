"""The CSV files with the positions of MediaPipe's FaceMesh points and of the iBUG points on the open model's mesh."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LANDMARK_COUNT = 478
IBUG_COUNT = 68
_COLUMNS = ("landmark", "triangle", "a", "b", "c")
_SLIDE = ("x1", "y1", "z1", "x2", "y2", "z2")  # millimeters at a turn of 1, and what grows with its square


@dataclass(frozen=True)
class Embedding:
    """Points on a mesh: triangle (n,) int32 and barycentric (n, 3) float32; n is 478 for FaceMesh, 68 for iBUG."""

    triangle: NDArray[np.int32]
    barycentric: NDArray[np.float32]


@dataclass(frozen=True)
class IbugEmbedding(Embedding):
    """The iBUG points on a mesh, and slide (2, 68, 3) float32, how they move when the head turns, meters."""

    slide: NDArray[np.float32]


def read_ibug_embedding(path: Path) -> IbugEmbedding:
    """Read the positions of the iBUG points. Raises ValueError if the landmarks are not 0..67 in order."""
    places = read_embedding(path, IBUG_COUNT)
    with path.open(newline="") as file:
        slide = [[float(row[column]) for column in _SLIDE] for row in csv.DictReader(file)]
    moved = np.array(slide, np.float32).reshape(IBUG_COUNT, 2, 3).swapaxes(0, 1) * np.float32(1e-3)
    return IbugEmbedding(places.triangle, places.barycentric, np.ascontiguousarray(moved))


def write_ibug_embedding(path: Path, embedding: IbugEmbedding) -> None:
    """Write the file of the iBUG points; slides in millimeters with two decimals."""
    write_embedding(path, embedding)
    rows = list(csv.reader(path.read_text().splitlines()))
    slides = 1e3 * embedding.slide.swapaxes(0, 1).reshape(IBUG_COUNT, 6)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*rows[0], *_SLIDE])
        writer.writerows(
            [*row, *(f"{value + 0.0:.2f}" for value in slide)] for row, slide in zip(rows[1:], slides, strict=True)
        )


def read_embedding(path: Path, count: int = LANDMARK_COUNT) -> Embedding:
    """Read the file. Raises ValueError if it does not contain the landmarks 0..count - 1 in order."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [row.get("landmark") for row in rows] != [str(k) for k in range(count)]:
        raise ValueError(f"{path.name!r}: expected landmarks 0..{count - 1} in order, got {len(rows)} rows")
    triangle = np.array([int(row["triangle"]) for row in rows], np.int32)
    return Embedding(triangle, np.array([[float(row[key]) for key in _COLUMNS[2:]] for row in rows], np.float32))


def write_embedding(path: Path, embedding: Embedding) -> None:
    """Write the file with four decimals, a resolution below 1 micrometer on this mesh."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for k, (triangle, weights) in enumerate(zip(embedding.triangle, embedding.barycentric, strict=True)):
            first, second = (round(float(weight), 4) for weight in weights[:2])
            writer.writerow([k, int(triangle), f"{first:.4f}", f"{second:.4f}", f"{1.0 - first - second:.4f}"])
