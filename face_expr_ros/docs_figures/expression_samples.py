"""Figure of training portraits of the expression head, with FaceMesh landmarks and patches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.expression.alignment import align
from face_expr_ros.perception.expression.patches import cut_patches
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.expression.scenes import Portrait, render_portraits

Image = NDArray[np.uint8]

_PEOPLE, _EACH, _NEUTRAL_COUNT = 4, 2, 3
_TILE = 144
_GREEN = (80, 220, 60)


def portraits_picture(model: MorphableModel) -> Image:
    """Two portraits of each person side by side, each followed by its patches."""
    detector, rng = open_landmarks(LandmarksConfig()), np.random.default_rng(8)
    canonical = model.facemesh_points(model.mean).astype(np.float64)
    rows = []
    for seed in range(_PEOPLE):
        portraits = render_portraits(model, detector, varied_appearance(seed), rng, _NEUTRAL_COUNT + _EACH + 2)
        rows.append(np.hstack([_strip(portrait, canonical) for portrait in portraits[-_EACH:]]))
    detector.close()
    return np.vstack(rows)


def _strip(portrait: Portrait, canonical: FloatArray) -> Image:
    whole = np.asarray(cv2.cvtColor(portrait.image, cv2.COLOR_GRAY2BGR), np.uint8)
    for x, y in portrait.landmarks[:, :2]:
        cv2.circle(whole, (round(float(x)), round(float(y))), 1, _GREEN, -1, cv2.LINE_AA)
    patches = cut_patches(portrait.image, portrait.landmarks, align(portrait.landmarks, canonical))
    tiles = [whole, *(np.asarray(cv2.cvtColor(patch, cv2.COLOR_GRAY2BGR), np.uint8) for patch in patches)]
    return np.hstack([cv2.resize(tile, (_TILE, _TILE), interpolation=cv2.INTER_AREA) for tile in tiles])
