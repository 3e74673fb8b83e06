"""The neutral expression of each face: calibrated on request and, if enabled, adapted slowly."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.types import FloatArray

RECENT = 1.0  # seconds used by a calibration; their median is not affected by a blink, which takes a third of a second
SHOWS = 0.3  # a face with a blendshape at or above this value is not neutral
MAX_NEUTRAL = 0.9  # maximum of a neutral blendshape; the remaining range is scaled to reach 1
_MIN_NEUTRAL = 1.0  # seconds of neutral expression before the adapted mean is used
_MAX_STEP = 0.2  # seconds; frames farther apart are not used for adaptation


@dataclass
class _NeutralState:
    """The state of one face.

    Attributes:
        recent: (stamp in nanoseconds, expression state) of the last second.
        mean: mean of the states with a neutral expression; None before the first.
        seconds: total duration of those states, up to the time constant.
        calibrated: whether the mean comes from a calibration, and is therefore used regardless of ``seconds``.
    """

    recent: deque[tuple[int, FloatArray]] = field(default_factory=deque)
    mean: FloatArray | None = None
    seconds: float = 0.0
    calibrated: bool = False

    def is_known(self) -> bool:
        return self.calibrated or self.seconds >= _MIN_NEUTRAL


class Neutrals:
    """The neutral expression of each face: a state vector of the expression backend per face id.

    Adaptation is disabled if ``config.neutral_time_constant``, in seconds, is 0.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._time_constant = config.neutral_time_constant
        self._faces: dict[str, _NeutralState] = {}

    def get(self, face_id: str) -> FloatArray | None:
        """The neutral expression of a face; None if it is not known."""
        face = self._faces.get(face_id)
        return face.mean if face is not None and face.is_known() else None

    def set(self, face_id: str, state: FloatArray) -> None:
        """Set the neutral expression of a face."""
        face = self._faces.setdefault(face_id, _NeutralState())
        face.mean, face.seconds, face.calibrated = state, self._time_constant, True

    def calibrate(self, face_ids: Iterable[str]) -> int:
        """Set each face's neutral expression to the median of its states in the last second.

        Returns:
            The number of calibrated faces: those that were observed.
        """
        observed = [face_id for face_id in face_ids if face_id in self._faces and self._faces[face_id].recent]
        for face_id in observed:
            self.set(face_id, np.median([state for _, state in self._faces[face_id].recent], axis=0))
        return len(observed)

    def observe(self, face_id: str, state: FloatArray, values: FloatArray, stamp_ns: int) -> None:
        """Add the expression of a face in one frame; call for every face and frame.

        Args:
            face_id: of the face.
            state: (n,) expression state of the backend, before the neutral expression is subtracted.
            values: the blendshapes in this frame.
            stamp_ns: of the frame; a stamp that is not later than the previous one does not affect the adaptation.
        """
        face = self._faces.setdefault(face_id, _NeutralState())
        elapsed = (stamp_ns - face.recent[-1][0]) * 1e-9 if face.recent else 0.0
        _append_recent(face.recent, state, stamp_ns)
        if self._time_constant > 0.0 and 0.0 < elapsed <= _MAX_STEP:
            self._adapt(face, state, elapsed * neutrality(values))

    def keep(self, face_ids: Collection[str]) -> None:
        """Delete the state of all other faces."""
        self._faces = {face_id: face for face_id, face in self._faces.items() if face_id in face_ids}

    def reset(self) -> None:
        """Delete the state of all faces."""
        self._faces.clear()

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {id: vars(face) | {"recent": [list(pair) for pair in face.recent]} for id, face in self._faces.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._faces = {
            id: _NeutralState(**{**face, "recent": deque((stamp_ns, state) for stamp_ns, state in face["recent"])})
            for id, face in state.items()
        }

    def _adapt(self, face: _NeutralState, state: FloatArray, seconds: float) -> None:
        """Update the mean: a plain mean at first, an exponential one once the time constant is reached."""
        if seconds <= 0.0:
            return
        face.seconds = min(face.seconds + seconds, max(self._time_constant, _MIN_NEUTRAL))
        mean = state if face.mean is None else face.mean
        face.mean = mean + min(1.0, seconds / face.seconds) * (state - mean)


def neutral_mask(names: Sequence[str]) -> FloatArray:
    """(len(names),) 1 for blendshapes to which the neutral expression applies, 0 for gaze."""
    return np.array([not name.startswith("eyeLook") for name in names], np.float64)


def from_neutral(values: FloatArray, neutral: FloatArray) -> FloatArray:
    """Blendshapes relative to the neutral expression: the neutral value is mapped to 0, and 1 to 1."""
    offset = np.clip(neutral, 0.0, MAX_NEUTRAL)
    return np.clip((values - offset) / (1.0 - offset), 0.0, 1.0)


def neutrality(values: FloatArray) -> float:
    """How neutral a face is, 0..1: ``(1 - largest value / SHOWS)^2``, and 0 at or above ``SHOWS``.

    Every blendshape counts, also closed eyelids and averted gaze.
    """
    largest = float(values.max(initial=0.0))
    return max(0.0, 1.0 - largest / SHOWS) ** 2


def _append_recent(recent: deque[tuple[int, FloatArray]], state: FloatArray, stamp_ns: int) -> None:
    recent.append((stamp_ns, state))
    while not 0 <= stamp_ns - recent[0][0] <= RECENT * 1e9:
        recent.popleft()
