"""Who reads a person's pictures: the configured stage, and what it is compared with, with and without a known rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.evaluation.expression.people import Look
from face_expr_ros.perception.expression import ExpressionReader

# The person at rest, where that is known, and in other pictures: (n, E) values.
PersonReader = Callable[[Look | None, Sequence[Look]], FloatArray]


def through_stage(stage: ExpressionReader, names: Sequence[str]) -> PersonReader:
    """Through the pipeline's stage, which is calibrated where the rest is known."""

    def read(rest: Look | None, looks: Sequence[Look]) -> FloatArray:
        stage.reset()
        if rest is not None:
            _one(stage, rest)
            stage.calibrate()
        return np.stack([in_order(_one(stage, look), names) for look in looks])

    return read


def _one(stage: ExpressionReader, look: Look) -> Blendshapes:
    return stage(look.frame, [look.track], [look.fit])[0]


def in_order(values: Blendshapes, names: Sequence[str]) -> FloatArray:
    """The values of these names; 0 for a name that a reader does not have.

    Raises:
        ValueError: it has none of them.
    """
    given = dict(zip(values.names, values.values, strict=True))
    if not given.keys() & set(names):
        raise ValueError(
            f"blendshapes with ARKit's names were wanted, such as {names[0]}, and the reader gives "
            f"{', '.join(values.names[:2])}, ...; set expression.backend to one that reads them with this bundle"
        )
    return np.array([float(given.get(name, 0.0)) for name in names])
