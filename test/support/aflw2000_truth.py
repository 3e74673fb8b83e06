"""Random ground truth in the form of AFLW2000-3D."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.aflw2000 import GroundTruth, Prediction

COUNT = 6


def axes_first(points: FloatArray | None) -> FloatArray:
    """Points (N, 68, 2) as files have them: (N, 2, 68)."""
    assert points is not None
    return points.transpose(0, 2, 1)


def random_truth(count: int = COUNT, seed: int = 0) -> GroundTruth:
    """Points in boxes of exactly 120 x 30 pixels, whose sqrt(w h) is 60; yaws 0, 20, 40, ... degrees."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(size=(count, 68, 2)) * [120, 30] + 100
    points[:, 0], points[:, 1] = [100, 100], [220, 130]
    angles = np.radians(np.column_stack([20.0 * np.arange(count), rng.uniform(-40, 40, (count, 2))]))
    names = tuple(f"image{number:05}.jpg" for number in range(count))
    return GroundTruth(names, points, points + 2.0, angles, rng.normal(size=(count, 29)))


def perfect(truth: GroundTruth) -> list[Prediction]:
    rows = zip(truth.original, truth.angles, truth.expression, strict=True)
    return [Prediction(points, rotation_from_euler(*angles), expression[:10]) for points, angles, expression in rows]
