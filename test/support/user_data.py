"""Training data of a user's own, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.models.bundle import open_face_model

MODEL = open_face_model("open")


def own(count: int = 4) -> dict[str, NDArray[Any]]:
    """The arrays of a good file."""
    points = MODEL.facemesh_points(MODEL.mean) * [900.0, -900.0, -900.0] + [80.0, 60.0, 0.0]
    return {
        "image": np.full((count, 120, 160), 90, np.uint8),
        "landmarks": np.repeat(points[None], count, axis=0).astype(np.float32),
        "expression": np.zeros((count, 52), np.float32),
        "person": np.arange(count) // 2,
    }


def written(folder: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return path
