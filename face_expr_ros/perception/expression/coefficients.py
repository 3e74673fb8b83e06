"""The coefficients of the fit, for a face model whose expression basis is ARKit's."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Track
from face_expr_ros.perception.expression.neutral import Neutrals
from face_expr_ros.perception.fitting import Fitter

_MOST_REST = 0.9  # what a face shows at rest; the remainder is stretched to reach 1


class Coefficients:
    """Names the coefficients of the fit, and takes off a person's rest.

    Args:
        names: of the model's expression basis, in its order.
        gain: (len(names),) by what a coefficient is multiplied to read as a blendshape.
        neutrals: the faces' rests, in coefficients with their gain.
    """

    def __init__(self, names: tuple[str, ...], gain: FloatArray, neutrals: Neutrals) -> None:
        self._names = names
        self._gain = gain
        self._neutrals = neutrals
        self._in_view: list[str] = []

    def reset(self) -> None:
        """Forget all faces."""
        self._in_view = []
        self._neutrals.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Forget the rest of all faces but these."""
        self._neutrals.keep(face_ids)

    def calibrate(self) -> int:
        """Take what the last frame's faces showed for a second as their rest: from now on it reads as zero."""
        return self._neutrals.calibrate(self._in_view)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The coefficients in 0..1. What lies above the rest is stretched so that 1 stays 1."""
        self._in_view = [track.id for track in tracks]
        faces = zip(self._in_view, fits, strict=True)
        return [Blendshapes(self._names, self._read(face_id, fit, frame.stamp_ns)) for face_id, fit in faces]

    def _read(self, face_id: str, fit: FaceFit, stamp_ns: int) -> FloatArray:
        shown = np.clip(self._gain * fit.expression, 0.0, 1.0)
        known = self._neutrals.get(face_id)
        rest = 0.0 if known is None else np.clip(known, 0.0, _MOST_REST)
        values = np.clip((shown - rest) / (1.0 - rest), 0.0, 1.0)
        self._neutrals.observe(face_id, shown, values, stamp_ns)
        return values


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Coefficients:
    """The backend."""
    return Coefficients(model.expression_names, fitter.expression_gain(), Neutrals(config))
