"""How the face model is fitted to a face. A backend is a file here; its name is the value of ``fitting.backend``."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Track
from face_expr_ros.models.bundle import Bundle


class Fitter(Protocol):
    """A stage that may have a memory, for example of a face's shape."""

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        """One fit for each track, in the same order."""

    def expression_gain(self) -> FloatArray:
        """(expression_count,) by what a coefficient is multiplied to read as a blendshape."""

    def reset(self) -> None:
        """Forget all faces."""


def open_fitter(config: FittingConfig, bundle: Bundle) -> Fitter:
    """The fitter that ``config.backend`` names; ``auto`` is the bundle's best.

    Raises:
        ConfigError: the bundle lacks what the backend needs, or the machine does.
        BundleError: the bundle's network is missing or damaged.
    """
    fitter: Fitter = import_module(f"{__name__}.{backend_name(config, bundle)}").create(config, bundle)
    return fitter


def backend_name(config: FittingConfig, bundle: Bundle) -> str:
    """The backend that is meant: ``auto`` is the bundle's best.

    FaceMesh's landmarks show lids and lips better than a crop does, where the model knows where they lie on it; a
    network goes on where FaceMesh stops.
    """
    if config.backend != "auto":
        return config.backend
    if not len(bundle.model.facemesh_triangle):
        return "tddfa"
    return "least_squares" if bundle.network is None else "fused"
