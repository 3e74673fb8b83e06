"""The 52 ARKit blendshapes of a face. `BACKENDS` lists the expression backends by ``expression.backend``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.settings import backend
from face_expr_ros.core.types import Blendshapes, FaceFit, Frame, Track
from face_expr_ros.perception.fitting import Fitter

if TYPE_CHECKING:
    from face_expr_ros.core.calibration import CalibratedResponse


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
    """The backend that ``config.backend`` names, with the calibration of the person if there is one.

    Raises:
        ConfigError: the backend is unknown, or the calibration cannot be read.
        BundleError: a network is missing or damaged.
    """
    calibration = _calibration(config.calibration)
    reader = backend(BACKENDS, "expression.backend", config.backend)(config, model, fitter)
    return reader if calibration is None else CalibratedReader(reader, calibration)


def _calibration(path: str) -> CalibratedResponse | None:
    """As `calibration.open_calibration`, which needs pydantic: 8 MB of memory that most processes do without."""
    if not path:
        return None
    from face_expr_ros.core.calibration import open_calibration

    return open_calibration(path)


class CalibratedReader:
    """A backend with the calibration of one person, which is applied to every face.

    A face whose neutral expression was stored by `calibrate` is relative to that one; the calibration's is then not
    applied to it.
    """

    def __init__(self, reader: ExpressionReader, response: CalibratedResponse) -> None:
        self._reader, self._response = reader, response
        self._in_view: set[str] = set()
        self._with_neutral: set[str] = set()

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The calibrated blendshapes of each track."""
        self._in_view = {track.id for track in tracks}
        found = zip(tracks, self._reader(frame, tracks, fits), strict=True)
        return [self._response(values, track.id not in self._with_neutral) for track, values in found]

    def calibrate(self) -> int:
        """Store the last second of each face in view as its neutral expression; returns the number of faces."""
        count = self._reader.calibrate()
        if count:
            self._with_neutral |= self._in_view
        return count

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""
        self._with_neutral &= set(face_ids)
        self._reader.keep(face_ids)

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._in_view, self._with_neutral = set(), set()
        self._reader.reset()

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        ids = {"in_view": sorted(self._in_view), "with_neutral": sorted(self._with_neutral)}
        return {**ids, "reader": self._reader.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._in_view, self._with_neutral = set(state["in_view"]), set(state["with_neutral"])
        self._reader.load_state_dict(state["reader"])


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
