"""A common interface for expression backends and baselines, with and without a known neutral expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.evaluation.expression.synthetic_people import Observation
from face_expr_ros.perception.expression import ExpressionReader

# (neutral observation or None, n observations of the same person) -> (n, E) blendshapes.
PersonReader = Callable[[Observation | None, Sequence[Observation]], FloatArray]


def stage_reader(stage: ExpressionReader, names: Sequence[str]) -> PersonReader:
    """A reader that runs the pipeline's stage, calibrated with the neutral observation if it is known."""

    def read(neutral: Observation | None, observations: Sequence[Observation]) -> FloatArray:
        stage.reset()
        if neutral is not None:
            _one(stage, neutral)
            stage.calibrate()
        return np.stack([ordered_values(_one(stage, observation), names) for observation in observations])

    return read


def _one(stage: ExpressionReader, observation: Observation) -> Blendshapes:
    return stage(observation.frame, [observation.track], [observation.fit])[0]


def ordered_values(values: Blendshapes, names: Sequence[str]) -> FloatArray:
    """The values in the order of these names; 0 for missing names.

    Raises:
        ValueError: all names are missing.
    """
    given = dict(zip(values.names, values.values, strict=True))
    if not given.keys() & set(names):
        raise ValueError(
            f"expected blendshapes with ARKit names such as {names[0]}, got {', '.join(values.names[:2])}, ...; "
            f"set expression.backend to one that provides them with this bundle"
        )
    return np.array([float(given.get(name, 0.0)) for name in names])
