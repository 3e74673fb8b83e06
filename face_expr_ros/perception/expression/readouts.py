"""What people ask of an expression: action units, how it looks on the whole, and whether the mouth is open."""

from __future__ import annotations

from dataclasses import replace

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import NOTHING_READ, Blendshapes, Face, Readouts
from face_expr_ros.perception.expression import facs
from face_expr_ros.perception.expression.affect import Affect, read_affect


def action_units(values: Blendshapes) -> dict[str, float]:
    """The intensities of FACS's action units in 0..1 by their names, see `facs.TABLE`.

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
    """How far the jaw opens the lips, 0..1: ``jawOpen`` less ``mouthClose`` (lips closed on an open jaw)."""
    jaw, lips = values.names.index("jawOpen"), values.names.index("mouthClose")
    return max(0.0, float(values.values[jaw] - values.values[lips]))


class MouthState:
    """Which mouths are open: from ``mouth_open_threshold`` on, until ``mouth_close_threshold`` is reached (hysteresis).

    Raises:
        ConfigError: a mouth would have to close before it opens.
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
        """Whether the mouth of this face is open, by its present opening and by what it was before."""
        is_open = opening > self._below if face_id in self._open else opening >= self._above
        (self._open.add if is_open else self._open.discard)(face_id)
        return is_open

    def keep(self, face_ids: set[str]) -> None:
        """Forget all faces but these: whoever comes back counts as closed."""
        self._open &= face_ids

    def reset(self) -> None:
        """Forget all faces."""
        self._open.clear()


class ReadoutReader:
    """A stage with memory, the mouths' states; it comes after the smoother and reads what is published.

    Raises:
        ConfigError: see `MouthState`.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._mouths = MouthState(config)

    def __call__(self, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """The faces of a frame with their read-outs; nothing is read of blendshapes without ARKit's names."""
        self._mouths.keep({face.id for face in faces})
        return tuple(replace(face, readouts=self._read(face)) for face in faces)

    def reset(self) -> None:
        """Forget all faces."""
        self._mouths.reset()

    def _read(self, face: Face) -> Readouts:
        if not facs.readable(face.blendshapes):
            return NOTHING_READ
        return _readouts(face.blendshapes, self._mouths(face.id, mouth_opening(face.blendshapes)))


def read_once(values: Blendshapes, config: ExpressionConfig) -> Readouts:
    """The read-outs of a face without a past, as of one that is rendered.

    Raises:
        ConfigError: see `MouthState`.
        ValueError: a blendshape of the table of action units is missing.
    """
    return _readouts(values, MouthState(config)("", mouth_opening(values)))


def _readouts(values: Blendshapes, mouth_open: bool) -> Readouts:
    units = facs.intensities(values)
    look = read_affect(units)
    return Readouts(facs.NAMES, units, look.valence, look.arousal, look.label, mouth_open)
