"""The triangles between FaceMesh's points."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.resources import resource_path


@cache
def facemesh_triangles() -> NDArray[np.int32]:
    """(898, 3) indices of points 0..467, counter-clockwise seen from outside; eyes and mouth are closed by triangles.

    MediaPipe's published edges leave eyes and mouth open; there its canonical face model has 46 triangles more, which
    zigzag between the upper and the lower rim, as ours do.
    """
    path = resource_path("bfm/facemesh_triangles.csv")
    return np.loadtxt(path, dtype=np.int32, delimiter=",")
