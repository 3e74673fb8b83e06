"""How the face model is fitted to a face. A backend is a file here; its name is the value of ``fitting.backend``."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from face_expr_ros.config import FittingConfig
from face_expr_ros.face_model import MorphableModel
from face_expr_ros.values import FaceFit, FloatArray, Frame, Track


class Fitter(Protocol):
    """A stage with memory: it learns a face's shape from frame to frame."""

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order."""

    def expression_gain(self) -> FloatArray:
        """(expression_count,) by what a coefficient is multiplied to read as a blendshape."""

    def reset(self) -> None:
        """Forget all faces."""


def open_fitter(config: FittingConfig, model: MorphableModel) -> Fitter:
    """The fitter that ``config.backend`` names."""
    fitter: Fitter = import_module(f"{__name__}.{config.backend}").create(config, model)
    return fitter
