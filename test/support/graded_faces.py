"""Random inputs and grades for the fusion's training."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.perception.landmarks.facemesh import APPEARANCE
from face_expr_ros.training.expression.graded.faces import Faces
from face_expr_ros.training.expression.samples import MARGIN

NAMES = open_face_model("open").expression_names
STATE = 12  # numbers


def random_faces(count: int, graded: bool = True, seed: int = 0) -> Faces:
    """Noise; rendered faces have no appearance."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (count, len(COLUMNS))) if graded else rng.random((count, len(NAMES)))
    shown = rng.random((3, count, len(NAMES))).astype(np.float32)
    return Faces(
        features=rng.normal(size=(count, FEATURES)).astype(np.float32),
        patches=rng.integers(0, 256, (count, len(PARTS), SIDE + 2 * MARGIN, SIDE + 2 * MARGIN), dtype=np.uint8),
        fit=shown[0],
        head=shown[1],
        state=rng.normal(size=(count, STATE)).astype(np.float32),
        truth=truth.astype(np.float32),
        teacher=shown[2],
        weight=np.ones(count, np.float32),
        group=np.arange(count) // 2,
        appearance=rng.normal(size=(count, APPEARANCE if graded else 0)).astype(np.float16),
    )
