"""The guided calibration: a minute of given expressions, from which the responses of one person are computed.

In the step ``neutral`` the median of each blendshape becomes the neutral value and its spread the dead zone. In every
other step the person shows one expression as strongly as possible; the gain maps what was reached to 1. Gaze has
neither a neutral value nor a dead zone, as in `fused.calm`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES, arkit_values
from face_expr_ros.core.calibration import MAX_NEUTRAL, Calibration, Response
from face_expr_ros.core.types import FaceState, FloatArray

PREPARE = 3.0  # seconds to read the text of a step before it is recorded
MIN_FRAMES = 8  # of a step; fewer are not a recording
MAX_GAIN = 3.0  # more would amplify what the person can hardly show
MIN_PEAK = 1.0 / MAX_GAIN  # of an expression that was shown, above the neutral value
_PEAK = 75.0  # percentile of the frames of a step that counts as what was reached: the person starts and stops
_SPREAD = 97.5  # percentile of the frames of the neutral step that its dead zone covers
_MIN_DEAD_ZONE, _MAX_DEAD_ZONE = 0.01, 0.15  # a smaller one is omitted; a larger one is not noise but motion
_GAZE = np.array([name.startswith("eyeLook") for name in ARKIT_NAMES])


@dataclass(frozen=True)
class Step:
    """One expression of the guided calibration.

    Attributes:
        name: of the step.
        text: instruction to the person.
        blendshapes: those that the expression shows fully; empty for the neutral expression.
        seconds: duration of the recording.
    """

    name: str
    text: str
    blendshapes: tuple[str, ...]
    seconds: float = 4.0


def _sides(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


STEPS = (
    Step("neutral", "Look straight into the camera and relax your face", ()),
    Step("eyes_closed", "Close your eyes", _sides("eyeBlink")),
    Step("smile", "Smile as widely as you can", _sides("mouthSmile")),
    Step("mouth_open", "Open your mouth as far as you can", ("jawOpen",)),
    Step("brows_up", "Raise your brows as high as you can", ("browInnerUp", *_sides("browOuterUp"))),
    Step("brows_down", "Lower your brows, as when angry", _sides("browDown")),
    Step("pucker", "Purse your lips, as for a kiss", ("mouthPucker",)),
)


def find_step(name: str) -> Step | None:
    """The step of a name; None if there is none."""
    return next((step for step in STEPS if step.name == name), None)


@dataclass(frozen=True)
class Recording:
    """The blendshapes of one face during a step.

    Attributes:
        values: (n, 52) in the order of ``ARKIT_NAMES``, before any calibration.
    """

    values: FloatArray

    @property
    def is_complete(self) -> bool:
        """Whether there are enough frames."""
        return len(self.values) >= MIN_FRAMES

    def peak(self, neutral: FloatArray) -> FloatArray:
        """(52,) what was reached above the neutral values (52,)."""
        return np.percentile(_above(self.values, neutral), _PEAK, axis=0)


class StepRecorder:
    """The blendshapes of each face during a step; the face that is largest in total is the person."""

    def __init__(self) -> None:
        self._faces: dict[str, list[FloatArray]] = {}
        self._areas: dict[str, float] = {}

    def add(self, state: FaceState) -> None:
        """Add a face of one image, before any calibration; a face without ARKit's blendshapes is ignored."""
        values = measured(state)
        if values is not None:
            self._faces.setdefault(state.id, []).append(values)
            self._areas[state.id] = self._areas.get(state.id, 0.0) + state.roi.width * state.roi.height

    def result(self) -> Recording:
        """The recording of the person."""
        if not self._areas:
            return Recording(np.zeros((0, len(ARKIT_NAMES))))
        return Recording(np.array(self._faces[max(self._areas, key=self._areas.__getitem__)]))


def measured(state: FaceState) -> FloatArray | None:
    """The blendshapes (52,) of a face; None if it has none of ARKit's."""
    try:
        return arkit_values(state.blendshapes)
    except ValueError:
        return None


def judge(step: Step, recording: Recording, neutral: Recording | None) -> tuple[bool, str]:
    """Whether a recording can be used, and a sentence for the person."""
    if not recording.is_complete:
        return False, f"only {len(recording.values)} images with a face were received: stay in view and repeat the step"
    if not step.blendshapes:
        return True, "neutral expression recorded"
    rest = np.zeros(len(ARKIT_NAMES)) if neutral is None else neutral_values(neutral)
    peak = recording.peak(rest)
    weak = [name for name in step.blendshapes if peak[ARKIT_NAMES.index(name)] < MIN_PEAK]
    if len(weak) == len(step.blendshapes):
        reached = max(peak[ARKIT_NAMES.index(name)] for name in step.blendshapes)
        return False, f"the expression was hardly seen ({reached:.2f} of 1): repeat the step more strongly"
    return True, "recorded"


def neutral_values(recording: Recording) -> FloatArray:
    """(52,) the neutral values; 0 for gaze."""
    values: FloatArray = np.where(_GAZE, 0.0, np.clip(np.median(recording.values, axis=0), 0.0, MAX_NEUTRAL))
    return values


def calibrate(recordings: Mapping[str, Recording], name: str = "") -> tuple[Calibration, list[str]]:
    """The calibration of a person, and a note for each blendshape whose gain could not be measured.

    Args:
        recordings: by the name of their step; ``neutral`` is required.
        name: of the person.

    Raises:
        ValueError: there is no complete recording of the neutral expression.
    """
    if "neutral" not in recordings or not recordings["neutral"].is_complete:
        raise ValueError("expected a recording of the neutral expression: record the step 'neutral' first")
    rest = neutral_values(recordings["neutral"])
    dead_zones = _dead_zones(recordings["neutral"], rest)
    gains: dict[str, float] = {}
    notes: list[str] = []
    for step in STEPS:
        if step.name in recordings and step.blendshapes:
            found = _gains(step.blendshapes, recordings[step.name].peak(rest), dead_zones)
            gains |= found
            notes += [
                f"{each} was hardly seen and keeps its gain of 1" for each in step.blendshapes if each not in found
            ]
    listed = [each for each in ARKIT_NAMES if each in gains or each in dead_zones]
    responses = {each: Response(gain=gains.get(each, 1.0), dead_zone=dead_zones.get(each, 0.0)) for each in listed}
    calibration = Calibration(name=name, blendshapes=responses)
    return calibration.with_neutral(dict(zip(ARKIT_NAMES, rest.tolist(), strict=True))), notes


def _above(values: FloatArray, neutral: FloatArray) -> FloatArray:
    above: FloatArray = np.maximum(values - neutral, 0.0) / (1.0 - neutral)
    return above


def _dead_zones(recording: Recording, rest: FloatArray) -> dict[str, float]:
    spread = np.percentile(_above(recording.values, rest), _SPREAD, axis=0)
    zones = np.where(_GAZE, 0.0, np.minimum(spread, _MAX_DEAD_ZONE))
    return {
        name: round(float(zone), 3) for name, zone in zip(ARKIT_NAMES, zones, strict=True) if zone >= _MIN_DEAD_ZONE
    }


def _gains(names: Sequence[str], peak: FloatArray, dead_zones: Mapping[str, float]) -> dict[str, float]:
    gains = {}
    for name in names:
        zone = dead_zones.get(name, 0.0)
        reached = (float(peak[ARKIT_NAMES.index(name)]) - zone) / (1.0 - zone)
        if reached >= MIN_PEAK:
            gains[name] = round(1.0 / reached, 3)
    return gains
