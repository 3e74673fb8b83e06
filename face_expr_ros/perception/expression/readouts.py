"""Values derived from the blendshapes: action units, affect, and whether the mouth is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, Face, Readouts
from face_expr_ros.perception.expression import facs
from face_expr_ros.perception.expression.affect import Affect, read_affect


def action_units(values: Blendshapes) -> dict[str, float]:
    """The intensities of FACS's action units in 0..1 by name, see `facs.TABLE`.

    Raises:
        ValueError: a blendshape of the table is missing.
    """
    return dict(zip(facs.NAMES, facs.intensities(values).tolist(), strict=True))


def affect(values: Blendshapes) -> Affect:
    """Valence, arousal and label, see `affect.read_affect`.

    Raises:
        ValueError: a blendshape of the table of action units is missing.
    """
    return read_affect(facs.intensities(values))


def mouth_opening(values: Blendshapes) -> float:
    """The opening of the mouth, 0..1: ``jawOpen`` minus ``mouthClose`` (lips closed while the jaw is open)."""
    jaw, lips = values.names.index("jawOpen"), values.names.index("mouthClose")
    return max(0.0, float(values.values[jaw] - values.values[lips]))


class MouthState:
    """Which mouths are open, with hysteresis between ``mouth_open_threshold`` and ``mouth_close_threshold``.

    Raises:
        ConfigError: ``mouth_close_threshold`` exceeds ``mouth_open_threshold``.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._above, self._below = config.mouth_open_threshold, config.mouth_close_threshold
        if self._below > self._above:
            raise ConfigError(
                f"expected expression.mouth_close_threshold of at most mouth_open_threshold ({self._above:g}), "
                f"got {self._below:g}"
            )
        self._open: set[str] = set()

    def __call__(self, face_id: str, opening: float) -> bool:
        """Whether the mouth of a face is open, from its current opening and its previous state."""
        is_open = opening > self._below if face_id in self._open else opening >= self._above
        (self._open.add if is_open else self._open.discard)(face_id)
        return is_open

    def keep(self, face_ids: set[str]) -> None:
        """Delete the state of all other faces; without state a mouth is closed."""
        self._open &= face_ids

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._open.clear()

    def state_dict(self) -> list[str]:
        """The ids of the faces with an open mouth."""
        return sorted(self._open)

    def load_state_dict(self, state: Iterable[str]) -> None:
        """Restore what `state_dict` returned."""
        self._open = set(state)


class ReadoutReader:
    """A stage with state, the open mouths; it runs after the smoother, on the published blendshapes.

    Raises:
        ConfigError: see `MouthState`.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._mouths = MouthState(config)

    def __call__(self, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """The faces of a frame with their read-outs, which are empty for blendshapes without ARKit's names."""
        self._mouths.keep({face.id for face in faces})
        return tuple(replace(face, readouts=self._read(face)) for face in faces)

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._mouths.reset()

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {"open_mouths": self._mouths.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._mouths.load_state_dict(state["open_mouths"])

    def _read(self, face: Face) -> Readouts:
        if not facs.readable(face.blendshapes):
            return NO_READOUTS
        return _readouts(face.blendshapes, self._mouths(face.id, mouth_opening(face.blendshapes)))


def read_once(values: Blendshapes, config: ExpressionConfig) -> Readouts:
    """The read-outs of a single face without previous frames, for example a rendered one.

    Raises:
        ConfigError: see `MouthState`.
        ValueError: a blendshape of the table of action units is missing.
    """
    return _readouts(values, MouthState(config)("", mouth_opening(values)))


def _readouts(values: Blendshapes, mouth_open: bool) -> Readouts:
    units = facs.intensities(values)
    apparent = read_affect(units)
    return Readouts(facs.NAMES, units, apparent.valence, apparent.arousal, apparent.label, mouth_open)
