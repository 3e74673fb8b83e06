"""The 52 ARKit blendshapes of a face. `BACKENDS` lists the expression backends by ``expression.backend``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.settings import backend
from face_expr_ros.core.types import Blendshapes, FaceFit, Frame, Track
from face_expr_ros.perception.fitting import Fitter


class ExpressionReader(Protocol):
    """A stage with state: the neutral expression of each face."""

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each track, relative to its neutral expression where that is known."""

    def calibrate(self) -> int:
        """Store the last second of each face in view as its neutral expression; returns the number of faces."""

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""

    def reset(self) -> None:
        """Delete the state of all faces."""

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def open_expression(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> ExpressionReader:
    """The backend that ``config.backend`` names.

    Raises:
        ConfigError: the backend is unknown.
        BundleError: a network is missing or damaged.
    """
    return backend(BACKENDS, "expression.backend", config.backend)(config, model, fitter)


def _head(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> ExpressionReader:
    from face_expr_ros.perception.expression.head import create

    return create(config, model, fitter)


def _coefficients(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> ExpressionReader:
    from face_expr_ros.perception.expression.coefficients import create

    return create(config, model, fitter)


def _fused(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> ExpressionReader:
    from face_expr_ros.perception.expression.fused import create

    return create(config, model, fitter)


BACKENDS: dict[str, Callable[[ExpressionConfig, MorphableModel, Fitter], ExpressionReader]] = {
    "fused": _fused,
    "head": _head,
    "coefficients": _coefficients,
}
