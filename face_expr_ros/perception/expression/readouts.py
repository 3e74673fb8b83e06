"""The read-outs and events of each face: action units, affect, open mouth, attention, speech, nods, shakes, blinks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import columns
from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, Face, FaceState, FloatArray, Pose, Readouts
from face_expr_ros.perception.expression import facs
from face_expr_ros.perception.expression.affect import Affect, read_affect
from face_expr_ros.perception.expression.attention import Attention
from face_expr_ros.perception.expression.blinks import BlinkDetector
from face_expr_ros.perception.expression.head_gestures import HeadGestures
from face_expr_ros.perception.expression.speaking import LipMotion

_LIPS_PART = facs.NAMES.index("AU25")
_MOUTH = ("jawOpen", "mouthClose")
_NO_LANDMARKS = np.zeros((0, 3), np.float32)
_MEMORY_NS = 10**9  # a face that was not found for longer starts anew


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
    """The opening of the mouth, 0..1: ``jawOpen`` minus ``mouthClose`` (lips closed while the jaw is open).

    Raises:
        ValueError: one of them is missing.
    """
    places = columns(values.names, _MOUTH)
    if places is None:
        raise ValueError(f"expected blendshapes with {' and '.join(_MOUTH)}, got {values.names[:4]}...")
    jaw, lips = places
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


class _FaceReaders:
    """The stages with state of one face."""

    def __init__(self, config: ExpressionConfig) -> None:
        self._attention, self._lips = Attention(config), LipMotion(config)
        self._blinks, self._gestures = BlinkDetector(), HeadGestures(config)
        self.last_ns = 0

    def __call__(self, face: Face, measured: Pose, mouth_open: bool | None, stamp_ns: int) -> Face:
        """The face with read-outs and events; ``mouth_open`` is None for blendshapes without ARKit's names."""
        self.last_ns, t = stamp_ns, stamp_ns * 1e-9
        looking = self._attention(_gaze_face(face), t)
        events = [self._gestures(measured.rotation, t)]
        if mouth_open is None:
            readouts = replace(NO_READOUTS, looking_at_camera=looking) if looking else NO_READOUTS
        else:
            units = facs.intensities(face.blendshapes)
            speaking = self._lips(float(units[_LIPS_PART]), t)
            readouts = _readouts(units, mouth_open, looking, speaking)
            events.append(self._blinks(face.blendshapes, t))
        found = tuple(event for event in events if event is not None)
        return Face(face.id, face.confidence, face.roi, face.landmarks, face.fit, face.blendshapes, readouts, found)

    def state_dict(self) -> dict[str, Any]:
        stages = {name: stage.state_dict() for name, stage in self._stages().items()}
        return {"last_ns": self.last_ns, "stages": stages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.last_ns = state["last_ns"]
        for name, stage in self._stages().items():
            stage.load_state_dict(state["stages"][name])

    def _stages(self) -> dict[str, Any]:
        return {"attention": self._attention, "lips": self._lips, "blinks": self._blinks, "gestures": self._gestures}


class _GazeFace(NamedTuple):
    """See `gaze.GazeFace`."""

    id: str
    pose: Pose
    blendshapes: Blendshapes
    landmarks: NDArray[np.float32]


def _gaze_face(face: Face) -> _GazeFace:
    landmarks = _NO_LANDMARKS if face.landmarks is None else face.landmarks.points
    return _GazeFace(face.id, face.fit.pose, face.blendshapes, landmarks)


class ReadoutReader:
    """The last stage: read-outs and events of each face. It runs after the smoother, on the published values.

    Raises:
        ConfigError: see `MouthState`.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._config = config
        self._mouths = MouthState(config)
        self._readers: dict[str, _FaceReaders] = {}

    def __call__(
        self, faces: tuple[Face, ...], stamp_ns: int, measured: Sequence[Face] | None = None
    ) -> tuple[Face, ...]:
        """The faces of a frame with their read-outs and events; most are empty for blendshapes without ARKit's names.

        Args:
            faces: as published.
            stamp_ns: of the frame.
            measured: the same faces before the smoother, which damps nods and shakes; by default ``faces``.
        """
        self._mouths.keep({face.id for face in faces})
        self._readers = {
            id: reader for id, reader in self._readers.items() if abs(stamp_ns - reader.last_ns) <= _MEMORY_NS
        }
        pairs = zip(faces, measured or faces, strict=True)
        return tuple(self._read(face, raw.fit.pose, stamp_ns) for face, raw in pairs)

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._mouths.reset()
        self._readers.clear()

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        readers = {id: reader.state_dict() for id, reader in self._readers.items()}
        return {"open_mouths": self._mouths.state_dict(), "readers": readers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._mouths.load_state_dict(state["open_mouths"])
        self._readers = {id: _FaceReaders(self._config) for id in state["readers"]}
        for id, reader in self._readers.items():
            reader.load_state_dict(state["readers"][id])

    def _read(self, face: Face, measured: Pose, stamp_ns: int) -> Face:
        is_readable = facs.readable(face.blendshapes)
        mouth_open = self._mouths(face.id, mouth_opening(face.blendshapes)) if is_readable else None
        if face.id not in self._readers:
            self._readers[face.id] = _FaceReaders(self._config)
        return self._readers[face.id](face, measured, mouth_open, stamp_ns)


def read_once(state: FaceState, config: ExpressionConfig) -> Readouts:
    """The read-outs of a single face without previous frames, for example a rendered one.

    Raises:
        ConfigError: see `MouthState`.
        ValueError: a blendshape of the table of action units is missing.
    """
    mouth_open = MouthState(config)("", mouth_opening(state.blendshapes))
    return _readouts(facs.intensities(state.blendshapes), mouth_open, Attention(config)(state, 0.0), 0.0)


def _readouts(units: FloatArray, mouth_open: bool, looking: float, speaking: float) -> Readouts:
    apparent = read_affect(units)
    return Readouts(
        facs.NAMES, units, apparent.valence, apparent.arousal, apparent.label, mouth_open, looking, speaking
    )
