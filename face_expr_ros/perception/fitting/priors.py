"""The priors of the landmark fit: the noise of FaceMesh's landmarks, and the covariance of the blendshapes."""

from __future__ import annotations

import re

import numpy as np

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.facemesh_regions import BROWS, FITTED, LIDS_AND_IRISES, LIPS, OUTLINE, REST_STEP
from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

# FaceMesh's error by region, relative to cheeks and forehead: it is most accurate on small sharp features, and its
# outline slides along the face as the head turns. With the same noise everywhere, the outline dominates the expression.
_NOISE_BY_REGION = ((OUTLINE, 1.9), (BROWS, 0.5), (LIPS, 0.3), (LIDS_AND_IRISES, 0.2))
# FaceMesh's lips are nearly flat: a pucker moves them sideways instead of towards the camera.
_LIP_DEPTH_NOISE = 5.0


def counterparts(names: tuple[str, ...]) -> list[int]:
    """For each blendshape the index of its counterpart on the other side of the face, or its own if it has none.

    Eyes move together: the counterpart of the left eye looking in is the right eye looking out.
    """
    other = {"Left": "Right", "Right": "Left"}
    inverse = {"In": "Out", "Out": "In"}

    def counterpart(name: str) -> str:
        if found := re.fullmatch(r"(eyeLook)(In|Out)(Left|Right)", name):
            return found[1] + inverse[found[2]] + other[found[3]]
        found = re.fullmatch(r"(\w+)(Left|Right)", name)
        return found[1] + other[found[2]] if found and found[1] not in ("jaw", "mouth") else name

    matched = map(counterpart, names)
    return [names.index(match) if match in names else index for index, match in enumerate(matched)]


def inverse_expression_covariance(counterpart: list[int], config: FittingConfig) -> FloatArray:
    """(n, n) inverse covariance of the expression prior."""
    correlation = np.eye(len(counterpart))
    for index, other in enumerate(counterpart):
        if other != index:
            correlation[index, other] = config.symmetry
    prior: FloatArray = np.linalg.inv(correlation) / config.expression_prior_std**2
    return prior


def inverse_standard_deviations(config: FittingConfig) -> tuple[FloatArray, FloatArray]:
    """(n,) inverse standard deviations of the fitted landmarks, per meter: across the line of sight, and along it."""
    across = np.full(LANDMARK_COUNT, config.landmark_noise / np.sqrt(REST_STEP))
    along = np.full(LANDMARK_COUNT, config.depth_noise / np.sqrt(REST_STEP))
    for region, noise in _NOISE_BY_REGION:
        across[list(region)] = noise * config.landmark_noise
        along[list(region)] = config.depth_noise
    along[list(LIPS)] = _LIP_DEPTH_NOISE * config.depth_noise
    return 1.0 / across[list(FITTED)], 1.0 / along[list(FITTED)]
