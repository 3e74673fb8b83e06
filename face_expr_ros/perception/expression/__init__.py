"""Who reads the 52 blendshapes of a face. A backend is a file here; its name is the value of ``expression.backend``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import Protocol

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Blendshapes, FaceFit, Frame, Track
from face_expr_ros.perception.fitting import Fitter


class ExpressionReader(Protocol):
    """A stage with memory: it knows each face's rest."""

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each track's face, seen from its rest where that is known."""

    def calibrate(self) -> int:
        """Take what the last frame's faces showed for a second as their rest; the number of faces."""

    def keep(self, face_ids: Collection[str]) -> None:
        """Forget the rest of all faces but these."""

    def reset(self) -> None:
        """Forget all faces."""


def open_expression(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> ExpressionReader:
    """The backend that ``config.backend`` names."""
    create: Callable[..., ExpressionReader] = import_module(f"{__name__}.{config.backend}").create
    return create(config, model, fitter)
