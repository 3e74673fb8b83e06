"""The decimated mesh of a face model, computed once when the model is built or fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError, MorphableModel, read_arrays, write_arrays

KEPT_VERTICES = 0.25  # of the visible vertices
_EXPRESSIONS = 3  # considered besides the mean face: those with the largest displacements
_NAME = "decimated_triangles"


def write_decimation(model: MorphableModel, path: Path) -> None:
    """Write the triangles of the decimated mesh, none for a sparse model; takes about a second."""
    from face_expr_ros.kernels.decimation import decimated  # face_expr doctor must run without compiled kernels

    triangles = model.triangles
    if not model.sparse:
        triangles = decimated(_shapes(model), model.visible_triangles, KEPT_VERTICES)
    write_arrays(path, {_NAME: triangles.astype(np.int32)})


def with_decimation(model: MorphableModel, path: Path) -> MorphableModel:
    """The model with the decimated mesh of a file that `write_decimation` wrote for it.

    Raises:
        BundleError: the file is damaged or belongs to another model.
    """
    triangles = read_arrays(path.read_bytes(), path).get(_NAME, np.zeros(0))
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype != np.int32:
        raise BundleError(
            f"{path}: expected {_NAME} of shape (n, 3) and type int32, got {triangles.dtype} {triangles.shape}"
        )
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(model.mean):
        raise BundleError(
            f"{path}: expected indices of the {len(model.mean)} vertices of {model.name!r}, "
            f"got {triangles.min()} to {triangles.max()}"
        )
    return replace(model, decimated_triangles=triangles)


def _shapes(model: MorphableModel) -> NDArray[Any]:
    """(1 + _EXPRESSIONS, V, 3): the mean face, alone and with each of the expressions that move it most."""
    strongest = np.argsort(-np.square(model.expression, dtype=np.float64).sum(axis=(1, 2)))[:_EXPRESSIONS]
    return np.concatenate([model.mean[None], model.mean + model.expression[strongest]]).astype(np.float64)
