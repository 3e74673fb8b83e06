"""Closed teeth in a grin: the raised lips of a grin look like an open jaw to FaceMesh's points.

jawOpen is reduced by the product of the smile and of the visible upper teeth, which is large only in a grin.
"""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray

SHARE = 0.22  # reduction of jawOpen for a full smile with fully visible upper teeth
JAW = "jawOpen"
_SHOWN = ("smile", "upperTeeth")


def grin_columns(names: tuple[str, ...]) -> FloatArray:
    """(E, 2) from blendshapes to the smile and the visible upper teeth."""
    weights = np.zeros((len(names), len(_SHOWN)))
    for index, column in enumerate(_SHOWN):
        added, _ = COLUMNS[column]
        weights[[names.index(name) for name in added], index] = 1 / len(added)
    return weights


def without_grins(values: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Uncalibrated blendshapes (n, E) with jawOpen reduced in grins."""
    shown = np.clip(values @ grin_columns(names), 0.0, 1.0)
    result = np.array(values, np.float64)
    result[:, names.index(JAW)] -= SHARE * shown.prod(axis=1)
    return result
