"""From fitted coefficients to named blendshapes, seen from the person's own rest."""

from __future__ import annotations

import numpy as np

from face_expr_ros.values import Blendshapes, FaceFit, FloatArray


class ExpressionReader:
    """Names the coefficients of a model whose expression basis is ARKit's, and takes off a person's rest offset.

    Args:
        names: blendshape names in the order of the model's expression basis.
        gain: (len(names),) by what a coefficient is multiplied to read as a blendshape.
    """

    def __init__(self, names: tuple[str, ...], gain: FloatArray) -> None:
        self._names = names
        self._gain = gain
        self._neutral: dict[str, FloatArray] = {}

    def reset(self) -> None:
        """Forget all rest offsets."""
        self._neutral.clear()

    def calibrate(self, face_id: str, fit: FaceFit) -> None:
        """Take this expression as the rest of the face: from now on it reads as zero."""
        self._neutral[face_id] = np.clip(self._gain * fit.expression, 0.0, 0.9)

    def __call__(self, face_id: str, fit: FaceFit) -> Blendshapes:
        """The 52 values in 0..1. What lies above the rest offset is stretched so that 1 stays 1."""
        values = np.clip(self._gain * fit.expression, 0.0, 1.0)
        neutral = self._neutral.get(face_id)
        if neutral is not None:
            values = np.clip((values - neutral) / (1.0 - neutral), 0.0, 1.0)
        return Blendshapes(self._names, values)
