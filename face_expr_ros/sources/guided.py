"""The guided calibration in front of a camera, without a page: instructions as text, one step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from face_expr_ros.core.calibration import Calibration
from face_expr_ros.perception.guided_calibration import (
    PREPARE,
    STEPS,
    Recording,
    Step,
    StepRecorder,
    calibrate,
    judge,
)
from face_expr_ros.sources.live_faces import TrackedFrame

TRIES = 3  # of a step
Say = Callable[[str], None]


class GuidedError(RuntimeError):
    """The calibration was not completed; the text is for the user."""


def run_guided(
    frames: Iterator[TrackedFrame], say: Say, name: str = "", clock: Callable[[], float] = time.monotonic
) -> tuple[Calibration, list[str]]:
    """Record all steps, and return the calibration with notes; a step that fails ``TRIES`` times is skipped.

    Args:
        frames: of the camera, from a pipeline without a calibration.
        say: shows a line of text to the person.
        name: of the person.
        clock: monotonic time in seconds.

    Raises:
        GuidedError: the neutral expression could not be recorded, or the source ended.
    """
    recordings: dict[str, Recording] = {}
    for number, step in enumerate(STEPS, start=1):
        title = f"{number}/{len(STEPS)} {step.text}"
        found = _attempt(frames, step, title, say, recordings.get("neutral"), clock)
        if found is not None:
            recordings[step.name] = found
        elif not step.blendshapes:
            raise GuidedError("the neutral expression could not be recorded: check camera and light, and start again")
    return calibrate(recordings, name)


def _attempt(
    frames: Iterator[TrackedFrame],
    step: Step,
    title: str,
    say: Say,
    neutral: Recording | None,
    clock: Callable[[], float],
) -> Recording | None:
    """The recording of a step; None after ``TRIES`` that cannot be used."""
    for _ in range(TRIES):
        say(f"{title} (recording starts in {PREPARE:g} s)")
        _record(frames, PREPARE, clock)
        say(f"   recording for {step.seconds:g} s ...")
        recording = _record(frames, step.seconds, clock)
        good, message = judge(step, recording, neutral)
        say(f"   {message}")
        if good:
            return recording
    say(f"   not recorded after {TRIES} tries")
    return None


def _record(frames: Iterator[TrackedFrame], seconds: float, clock: Callable[[], float]) -> Recording:
    recorder, end = StepRecorder(), clock() + seconds
    for tracked in frames:
        for state in tracked.states:
            recorder.add(state)
        if clock() >= end:
            return recorder.result()
    raise GuidedError("the source ended before the calibration was complete")
