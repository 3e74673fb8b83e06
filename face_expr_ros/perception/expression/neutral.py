"""What each face shows at rest: taken when somebody asks for it, and, where that is switched on, learned slowly."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.types import FloatArray

RECENT = 1.0  # seconds that a calibration looks back; their median knows nothing of a blink, which takes a third of it
SHOWS = 0.3  # a face on which one value reaches this shows something and is not at rest
_LEAST_REST = 1.0  # seconds of rest that must have been seen before a rest is learned of them
_LONGEST_STEP = 0.2  # seconds; frames farther apart say little of what was between them


@dataclass
class _Memory:
    """One face.

    Attributes:
        recent: (stamp in nanoseconds, state) of the last second.
        mean: of the states at rest; None before any was seen.
        seconds: of rest that the mean was made of; counted up to the time constant.
        taken: whether the mean was taken by a calibration, and so counts as it is.
    """

    recent: deque[tuple[int, FloatArray]] = field(default_factory=deque)
    mean: FloatArray | None = None
    seconds: float = 0.0
    taken: bool = False

    def known(self) -> bool:
        return self.taken or self.seconds >= _LEAST_REST


class Neutrals:
    """Each face's rest: a vector per face id, in the numbers of the backend that reads the expression.

    Slow adaptation is off where ``config.neutral_time_constant``, its time constant in seconds, is 0.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._time_constant = config.neutral_time_constant
        self._memories: dict[str, _Memory] = {}

    def get(self, face_id: str) -> FloatArray | None:
        """The rest of a face; None where it is not known."""
        memory = self._memories.get(face_id)
        return memory.mean if memory is not None and memory.known() else None

    def take(self, face_id: str, state: FloatArray) -> None:
        """This is the rest."""
        memory = self._memories.setdefault(face_id, _Memory())
        memory.mean, memory.seconds, memory.taken = state, self._time_constant, True

    def calibrate(self, face_ids: Iterable[str]) -> int:
        """Take what each of these faces showed for the last second, the median of its states, as its rest.

        Returns:
            The number of faces whose rest was taken: those that were observed.
        """
        observed = [face_id for face_id in face_ids if face_id in self._memories and self._memories[face_id].recent]
        for face_id in observed:
            self.take(face_id, np.median([state for _, state in self._memories[face_id].recent], axis=0))
        return len(observed)

    def observe(self, face_id: str, state: FloatArray, values: FloatArray, stamp_ns: int) -> None:
        """What a face shows in a frame; called for every face and frame.

        Args:
            face_id: whose.
            state: (n,) what would be its rest if it were at rest.
            values: its blendshapes, as they are read in this frame.
            stamp_ns: time of the frame; a stamp before the last one, or equal to it, adds nothing to what is learned.
        """
        memory = self._memories.setdefault(face_id, _Memory())
        elapsed = (stamp_ns - memory.recent[-1][0]) * 1e-9 if memory.recent else 0.0
        _remember(memory.recent, state, stamp_ns)
        if self._time_constant > 0.0 and 0.0 < elapsed <= _LONGEST_STEP:
            self._adapt(memory, state, elapsed * restfulness(values))

    def keep(self, face_ids: Collection[str]) -> None:
        """Forget all faces but these."""
        self._memories = {face_id: memory for face_id, memory in self._memories.items() if face_id in face_ids}

    def reset(self) -> None:
        """Forget all faces."""
        self._memories.clear()

    def _adapt(self, memory: _Memory, state: FloatArray, seconds: float) -> None:
        """A plain mean at first, an exponential one once the time constant is reached."""
        if seconds <= 0.0:
            return
        memory.seconds = min(memory.seconds + seconds, max(self._time_constant, _LEAST_REST))
        mean = state if memory.mean is None else memory.mean
        memory.mean = mean + min(1.0, seconds / memory.seconds) * (state - mean)


def restfulness(values: FloatArray) -> float:
    """How much a face is at rest, 0..1: ``(1 - largest value / SHOWS)^2``, and 0 from ``SHOWS`` on.

    Every value counts: closed lids and eyes that look aside are no rest either.
    """
    largest = float(values.max(initial=0.0))
    return max(0.0, 1.0 - largest / SHOWS) ** 2


def _remember(recent: deque[tuple[int, FloatArray]], state: FloatArray, stamp_ns: int) -> None:
    recent.append((stamp_ns, state))
    while not 0 <= stamp_ns - recent[0][0] <= RECENT * 1e9:
        recent.popleft()
