"""Observations of faces with known expression, for the expression evaluation."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import FaceFit, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.evaluation.expression.synthetic_people import CAMERA, SIDE, Observation
from face_expr_ros.models.bundle import open_face_model

NAMES = open_face_model("open").expression_names


def observation(expression: np.ndarray | None = None, points: np.ndarray | None = None) -> Observation:
    """A face with an expression that its fit estimates exactly."""
    expression = np.zeros(len(NAMES)) if expression is None else expression
    landmarks = Landmarks(np.zeros((478, 3), np.float32) if points is None else points.astype(np.float32), 1.0)
    fit = FaceFit(
        Pose(np.eye(3), np.zeros(3), True), np.zeros(40), expression, 0.0, np.zeros((68, 3)), np.eye(3, 4), 1.0
    )
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    track = Track("f1", Roi(0, 0, 9, 9), landmarks, fresh=True)
    return Observation(Frame(image, 0, "camera", CAMERA), track, fit, expression)
