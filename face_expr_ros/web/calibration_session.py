"""The calibration of one source of faces while a server runs: applied, measured and replaced. Thread-safe."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.calibration import CalibratedResponse, Calibration
from face_expr_ros.core.types import FaceState, FloatArray
from face_expr_ros.perception.guided_calibration import (
    Recording,
    Step,
    StepRecorder,
    calibrate,
    judge,
    measured,
    neutral_values,
)

RECENT = 1.0  # seconds of which the median becomes neutral


@dataclass(frozen=True)
class StepResult:
    """The result of a recorded step.

    Attributes:
        name: of the step.
        frames: number of images with the face.
        good: whether the recording can be used.
        message: a sentence for the person.
    """

    name: str
    frames: int
    good: bool
    message: str


class CalibrationSession:
    """Calibrates faces, and measures what they show before the calibration.

    One thread calls it with the faces of each image; any thread replaces the calibration.

    Args:
        calibration: the initial one.
        clock: monotonic time in seconds.
    """

    def __init__(self, calibration: Calibration | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: dict[str, deque[tuple[float, FloatArray]]] = {}
        self._neutrals: dict[str, CalibratedResponse] = {}  # of several faces, by id
        self._response = CalibratedResponse(calibration or Calibration())
        self._recorder: StepRecorder | None = None
        self._recordings: dict[str, Recording] = {}

    @property
    def calibration(self) -> Calibration:
        """The calibration in use."""
        return self._response.calibration

    def __call__(self, states: Sequence[FaceState]) -> tuple[FaceState, ...]:
        """The calibrated faces of one image."""
        now, recorder = self._clock(), self._recorder
        self._recent = {state.id: self._recent.get(state.id, deque()) for state in states}
        for state in states:
            values = measured(state)
            if values is not None:
                _append(self._recent[state.id], now, values)
                if recorder is not None:
                    recorder.add(state)
        return tuple(self._calibrated(state) for state in states)

    def set(self, calibration: Calibration) -> None:
        """Replace the calibration, and forget neutral expressions of single faces."""
        self._response, self._neutrals = CalibratedResponse(calibration), {}

    def set_neutral(self) -> int:
        """Store what each face showed during the last second as neutral; returns the number of faces.

        The neutral expression of a single face becomes part of the calibration; those of several faces are kept by id.
        """
        oldest = self._clock() - RECENT
        seen = {
            id: np.array([values for _, values in rows])
            for id, rows in self._recent.items()
            if rows and rows[-1][0] >= oldest
        }
        made = {id: self._with_neutral(Recording(values)) for id, values in seen.items()}
        if len(made) == 1:
            self.set(*made.values())
        elif made:
            self._neutrals |= {id: CalibratedResponse(calibration) for id, calibration in made.items()}
        return len(made)

    async def record(self, step: Step, sleep: Callable[[float], object] = asyncio.sleep) -> StepResult:
        """Record a step for its duration; it replaces an earlier recording of the step if it can be used.

        Raises:
            ValueError: another step is being recorded.
        """
        if self._recorder is not None:
            raise ValueError("another step is being recorded")
        self._recorder = StepRecorder()
        try:
            await sleep(step.seconds)  # type: ignore[misc]
            recording = self._recorder.result()
        finally:
            self._recorder = None
        good, message = judge(step, recording, self._recordings.get("neutral"))
        if good:
            self._recordings[step.name] = recording
        return StepResult(step.name, len(recording.values), good, message)

    def finish(self) -> tuple[Calibration, list[str]]:
        """Use the calibration of the recorded steps and forget them; returns it with notes for the person.

        Raises:
            ValueError: the neutral expression was not recorded.
        """
        calibration, notes = calibrate(self._recordings, self.calibration.name)
        self._recordings = {}
        self.set(calibration)
        return calibration, notes

    def _with_neutral(self, recording: Recording) -> Calibration:
        values = neutral_values(recording)
        return self.calibration.with_neutral(dict(zip(ARKIT_NAMES, values.tolist(), strict=True)))

    def _calibrated(self, state: FaceState) -> FaceState:
        response = self._neutrals.get(state.id, self._response)
        return replace(state, blendshapes=response(state.blendshapes))


def _append(rows: deque[tuple[float, FloatArray]], now: float, values: FloatArray) -> None:
    rows.append((now, values))
    while now - rows[0][0] > RECENT:
        rows.popleft()
