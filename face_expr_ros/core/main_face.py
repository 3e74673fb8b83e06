"""Which of several faces a picture is of."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import Face


def main_face(faces: tuple[Face, ...], width: int, height: int) -> Face:
    """The face that a picture is of: the largest, where one far from the middle counts as smaller."""
    middle = np.array([width, height]) / 2

    def weight(face: Face) -> float:
        roi = face.roi
        aside = np.linalg.norm(np.array([roi.x + roi.width / 2, roi.y + roi.height / 2]) - middle)
        return float(roi.height - aside)

    return max(faces, key=weight)
