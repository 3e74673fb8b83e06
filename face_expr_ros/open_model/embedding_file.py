"""The small text file that says where MediaPipe's FaceMesh points lie on the open model's mesh."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LANDMARK_COUNT = 478
_COLUMNS = ("landmark", "triangle", "a", "b", "c")


@dataclass(frozen=True)
class Embedding:
    """FaceMesh points on a mesh: triangle (478,) int32 and barycentric (478, 3) float32."""

    triangle: NDArray[np.int32]
    barycentric: NDArray[np.float32]


def read_embedding(path: Path) -> Embedding:
    """Reads the file. Raises ValueError when it does not have the landmarks 0..477 in order."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [row.get("landmark") for row in rows] != [str(k) for k in range(LANDMARK_COUNT)]:
        raise ValueError(f"{path.name!r} must have landmarks 0..{LANDMARK_COUNT - 1} in order; {len(rows)} rows given")
    triangle = np.array([int(row["triangle"]) for row in rows], np.int32)
    return Embedding(triangle, np.array([[float(row[key]) for key in _COLUMNS[2:]] for row in rows], np.float32))


def write_embedding(path: Path, embedding: Embedding) -> None:
    """Writes the file with four decimals, which is below 1 micrometer on this mesh."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for k, (triangle, weights) in enumerate(zip(embedding.triangle, embedding.barycentric, strict=True)):
            first, second = (round(float(weight), 4) for weight in weights[:2])
            writer.writerow([k, int(triangle), f"{first:.4f}", f"{second:.4f}", f"{1.0 - first - second:.4f}"])
