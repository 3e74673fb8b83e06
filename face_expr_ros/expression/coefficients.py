"""The coefficients of the fit, for a face model whose expression basis is ARKit's."""

from __future__ import annotations

import numpy as np

from face_expr_ros.config import ExpressionConfig
from face_expr_ros.face_model import MorphableModel
from face_expr_ros.fitting import Fitter
from face_expr_ros.values import Blendshapes, FaceFit, FloatArray, Frame, Track

_MOST_REST = 0.9  # what a face shows at rest; the remainder is stretched to reach 1


class Coefficients:
    """Names the coefficients of the fit, and takes off a person's rest.

    Args:
        names: of the model's expression basis, in its order.
        gain: (len(names),) by what a coefficient is multiplied to read as a blendshape.
    """

    def __init__(self, names: tuple[str, ...], gain: FloatArray) -> None:
        self._names = names
        self._gain = gain
        self._last: dict[str, FloatArray] = {}
        self._neutral: dict[str, FloatArray] = {}

    def reset(self) -> None:
        """Forget all faces."""
        self._last, self._neutral = {}, {}

    def calibrate(self) -> int:
        """Take the last frame's expressions as the rest of their faces: from now on they read as zero."""
        self._neutral |= {face_id: np.clip(values, 0.0, _MOST_REST) for face_id, values in self._last.items()}
        return len(self._last)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The coefficients in 0..1. What lies above the rest is stretched so that 1 stays 1."""
        self._last = {
            track.id: np.clip(self._gain * fit.expression, 0.0, 1.0) for track, fit in zip(tracks, fits, strict=True)
        }
        return [Blendshapes(self._names, self._from_rest(*face)) for face in self._last.items()]

    def _from_rest(self, face_id: str, values: FloatArray) -> FloatArray:
        rest = self._neutral.get(face_id, 0.0)
        return np.clip((values - rest) / (1.0 - rest), 0.0, 1.0)


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Coefficients:
    """The backend."""
    return Coefficients(model.expression_names, fitter.expression_gain())
