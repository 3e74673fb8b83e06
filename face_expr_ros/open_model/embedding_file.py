"""The CSV file with the positions of MediaPipe's FaceMesh points on the open model's mesh."""

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
    """Read the file. Raises ValueError if it does not contain the landmarks 0..477 in order."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if [row.get("landmark") for row in rows] != [str(k) for k in range(LANDMARK_COUNT)]:
        raise ValueError(f"{path.name!r}: expected landmarks 0..{LANDMARK_COUNT - 1} in order, got {len(rows)} rows")
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
