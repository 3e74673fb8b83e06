"""Fitting the face model to a face. `BACKENDS` lists the fitters by the value of ``fitting.backend``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.settings import backend
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Track
from face_expr_ros.models.bundle import Bundle


class Fitter(Protocol):
    """A stage that may have state, for example a face's shape in earlier frames."""

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order."""

    def expression_gain(self) -> FloatArray:
        """(expression_count,) factors from coefficients to blendshapes."""

    def reset(self) -> None:
        """Delete the state."""

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def open_fitter(config: FittingConfig, bundle: Bundle) -> Fitter:
    """The fitter that ``config.backend`` names; ``auto`` is the best for the bundle.

    Raises:
        ConfigError: the backend is unknown, or the bundle lacks what it needs.
        BundleError: the bundle's network is missing or damaged.
    """
    return backend(BACKENDS, "fitting.backend", backend_name(config, bundle))(config, bundle)


def backend_name(config: FittingConfig, bundle: Bundle) -> str:
    """The configured backend; for ``auto`` the best for the bundle.

    Where the face model has FaceMesh's points, its landmarks show eyelids and lips better than a network's small crop
    does; where FaceMesh fails, in profile, a network still works.
    """
    if config.backend != "auto":
        return config.backend
    if not len(bundle.model.facemesh_triangle):
        return "tddfa"
    return "least_squares" if bundle.network is None else "fused"


def _tddfa(config: FittingConfig, bundle: Bundle) -> Fitter:
    from face_expr_ros.perception.fitting.tddfa import TddfaFitter

    return TddfaFitter(config, bundle)


def _least_squares(config: FittingConfig, bundle: Bundle) -> Fitter:
    from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter

    return LeastSquaresFitter(config, bundle)


def _fused(config: FittingConfig, bundle: Bundle) -> Fitter:
    from face_expr_ros.perception.fitting.fused import FusedFitter

    return FusedFitter(config, bundle)


BACKENDS: dict[str, Callable[[FittingConfig, Bundle], Fitter]] = {
    "tddfa": _tddfa,
    "least_squares": _least_squares,
    "fused": _fused,
}
