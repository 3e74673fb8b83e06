"""The mean of two independent estimates: the expression head, and the coefficients of the fit where they are reliable.

The head is much more accurate on synthetic faces, the only ones it was trained on. The fit uses the geometry of the
landmarks and needs no training. Their errors are nearly uncorrelated, so the mean is more robust on real faces.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Track
from face_expr_ros.perception.expression import coefficients, head
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.head import Head
from face_expr_ros.perception.fitting import Fitter

# Where the coefficients alone have a correlation of about 0.4 or more on synthetic faces, see docs/expression_table.md.
RELIABLE = (
    "eyeBlink", "eyeLookIn", "eyeLookOut", "eyeWide", "browDown", "browInnerUp", "browOuterUp", "jawOpen",
    "mouthPucker", "mouthSmile", "mouthFrown", "mouthPress",
)  # fmt: skip


class HeadAndFit:
    """Both stages, each with its own neutral expression of a face.

    Args:
        head: used alone where the coefficients are not reliable, and where there are no landmarks.
        coefficients: of a face model with ARKit's basis; None for other models.
    """

    def __init__(self, head: Head, coefficients: Coefficients | None) -> None:
        self._head = head
        self._coefficients = coefficients

    def reset(self) -> None:
        """Delete the state of all faces."""
        for stage in self._stages():
            stage.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""
        for stage in self._stages():
            stage.keep(face_ids)

    def state_dict(self) -> dict[str, Any]:
        """The state of both stages between two frames."""
        return {"stages": [stage.state_dict() for stage in self._stages()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for stage, values in zip(self._stages(), state["stages"], strict=True):
            stage.load_state_dict(values)

    def calibrate(self) -> int:
        """Store the last second of each face in view as its neutral expression; returns the number of faces."""
        if self._coefficients is not None:
            self._coefficients.calibrate()
        return self._head.calibrate()

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each face, relative to its neutral expression where that is known."""
        read = self._head(frame, tracks, fits)
        if self._coefficients is None:
            return read
        fitted = self._coefficients(frame, tracks, fits)
        return [
            first if track.landmarks is None else _mean(first, second)
            for track, first, second in zip(tracks, read, fitted, strict=True)
        ]

    def _stages(self) -> list[Head | Coefficients]:
        return [stage for stage in (self._head, self._coefficients) if stage is not None]


def _mean(read: Blendshapes, fitted: Blendshapes) -> Blendshapes:
    weights, indices = _weights(read.names, fitted.names)
    return Blendshapes(read.names, read.values + weights * (fitted.values[indices] - read.values))


@cache
def _weights(names: tuple[str, ...], fitted_names: tuple[str, ...]) -> tuple[FloatArray, NDArray[np.int64]]:
    """(n,) the weight of the coefficients for each name, and its index among theirs."""
    weights = np.where([name.startswith(RELIABLE) for name in names], 0.5, 0.0)
    return weights, np.array([fitted_names.index(name) for name in names])


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> HeadAndFit:
    """The backend."""
    reader = head.create(config, model, fitter)
    fits = set(reader.names) <= set(model.expression_names)
    return HeadAndFit(reader, coefficients.create(config, model, fitter) if fits else None)
