"""The label of an expression, and its valence and arousal.

They describe what a face shows, not what the person feels, see docs/expression.md. The prototypes are those of EMFACS
(Friesen and Ekman, 1983); the valence and arousal of their labels are those of Russell and Mehrabian, "Evidence for a
three-factor theory of emotions", Journal of Research in Personality 11, 1977.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.small_vectors import matrix_product
from face_expr_ros.perception.expression import facs

NEUTRAL = "neutral"
THRESHOLD = 0.25  # minimum score of the best prototype; below it the label is neutral


@dataclass(frozen=True)
class Affect:
    """The apparent affect of a face.
    Attributes:
        valence: -1..1, unpleasant to pleasant.
        arousal: -1..1, calm to excited.
        label: one of ``LABELS``, which are names of hri_msgs/Expression.
    """

    valence: float
    arousal: float
    label: str


@dataclass(frozen=True)
class Prototype:
    """An expression as EMFACS lists it.

    Attributes:
        label: its name.
        weights: by the name of the action unit; the positive ones sum to 1, negative ones exclude the expression.
        valence, arousal: of the label.
    """

    label: str
    weights: Mapping[str, float]
    valence: float
    arousal: float


PROTOTYPES = (
    Prototype("happy", {"AU6": 0.25, "AU12": 0.75, "AU4": -0.25, "AU9": -0.25, "AU15": -0.5}, 0.81, 0.51),
    Prototype("sad", {"AU1": 0.35, "AU4": 0.25, "AU15": 0.4, "AU12": -0.5, "AU5": -0.25, "AU9": -0.25}, -0.63, -0.27),
    Prototype("surprised", {"AU1": 0.3, "AU2": 0.2, "AU5": 0.25, "AU26": 0.25, "AU4": -0.5, "AU20": -0.25}, 0.40, 0.67),
    Prototype(
        "scared",
        {"AU1": 0.15, "AU2": 0.1, "AU4": 0.2, "AU5": 0.2, "AU20": 0.25, "AU26": 0.1, "AU12": -0.5, "AU7": -0.2},
        -0.64,
        0.60,
    ),
    Prototype("angry", {"AU4": 0.4, "AU5": 0.15, "AU7": 0.2, "AU24": 0.25, "AU1": -0.4, "AU12": -0.5}, -0.51, 0.59),
    Prototype("disgusted", {"AU9": 0.5, "AU10": 0.3, "AU15": 0.2, "AU12": -0.4, "AU1": -0.2}, -0.60, 0.35),
)
LABELS = (NEUTRAL, *(prototype.label for prototype in PROTOTYPES))
_WEIGHTS = np.array([[prototype.weights.get(name, 0.0) for name in facs.NAMES] for prototype in PROTOTYPES])


def read_affect(units: FloatArray) -> Affect:
    """The affect for the action units' intensities, (len(facs.NAMES),) in 0..1.

    Each prototype's score is the weighted sum of its action units, at least 0. The label is that of the best score.
    Valence and arousal are the prototypes' means, weighted by their squared scores, times the best score.
    """
    scores = [max(0.0, score) for score in matrix_product(_WEIGHTS, units).tolist()]
    strongest = max(scores)
    if not strongest > 0.0:
        return Affect(0.0, 0.0, NEUTRAL)
    total = valence = arousal = 0.0
    for score, prototype in zip(scores, PROTOTYPES, strict=True):
        weight = (score / strongest) ** 2  # squares of tiny scores would underflow
        total += weight
        valence += weight * prototype.valence
        arousal += weight * prototype.arousal
    scale = strongest / total
    label = PROTOTYPES[scores.index(strongest)].label if strongest >= THRESHOLD else NEUTRAL
    return Affect(scale * valence, scale * arousal, label)
