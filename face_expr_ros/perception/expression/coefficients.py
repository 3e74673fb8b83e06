"""The coefficients of the fit, for a face model whose expression basis is ARKit's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Track
from face_expr_ros.perception.expression.neutral import Neutrals, from_neutral
from face_expr_ros.perception.fitting import Fitter


class Coefficients:
    """The coefficients of the fit relative to a person's neutral expression.

    Args:
        names: of the model's expression basis, in its order.
        gain: (len(names),) factors from coefficients to blendshapes.
        neutrals: the faces' neutral expressions, as coefficients times their gain.
    """

    def __init__(self, names: tuple[str, ...], gain: FloatArray, neutrals: Neutrals) -> None:
        self._names = names
        self._gain = gain
        self._neutrals = neutrals
        self._in_view: list[str] = []

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._in_view = []
        self._neutrals.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""
        self._neutrals.keep(face_ids)

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {"in_view": self._in_view, "neutrals": self._neutrals.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._in_view = list(state["in_view"])
        self._neutrals.load_state_dict(state["neutrals"])

    def calibrate(self) -> int:
        """Store the last second of each face in view as its neutral expression: it then reads as zero."""
        return self._neutrals.calibrate(self._in_view)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The coefficients in 0..1. The range above the neutral expression is scaled so that 1 stays 1."""
        self._in_view = [track.id for track in tracks]
        faces = zip(self._in_view, fits, strict=True)
        return [Blendshapes(self._names, self._read(face_id, fit, frame.stamp_ns)) for face_id, fit in faces]

    def _read(self, face_id: str, fit: FaceFit, stamp_ns: int) -> FloatArray:
        shown = np.clip(self._gain * fit.expression, 0.0, 1.0)
        known = self._neutrals.get(face_id)
        values = from_neutral(shown, np.zeros(len(shown)) if known is None else known)
        self._neutrals.observe(face_id, shown, values, stamp_ns)
        return values


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Coefficients:
    """The backend."""
    return Coefficients(model.expression_names, fitter.expression_gain(), Neutrals(config))
