"""Detection of nods and shakes on simulated head motion: ``python -m face_expr_ros.evaluation.head_gestures``.

Each motion is simulated for several orientations of the head, frame rates, gains of the measured pitch, and levels of
noise in the pose.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.geometry import FACING_CAMERA, rotation_from_euler
from face_expr_ros.core.types import NOD, SHAKE, FloatArray
from face_expr_ros.perception.expression.head_gestures import HeadGestures

RATES = (15.0, 30.0, 60.0)  # frames per second
NOISES = (0.0, 0.3, 1.0)  # degrees, standard deviation of each angle of a measured pose in each frame
PITCH_GAINS = (0.75, 1.0)  # measured pitch per true pitch: of the default fit on rendered heads, and of an exact one
ORIENTATIONS = (
    (0.0, 0.0, 0.0),
    (30.0, -10.0, 10.0),
    (-20.0, 15.0, -5.0),
)  # yaw, pitch, roll of the head between gestures
SECONDS, BEGIN, END = 5.0, 1.5, 3.0  # length of each motion; a gesture begins and ends there

Angles = Callable[[FloatArray], FloatArray]  # times (n,) -> yaw, pitch and roll (n, 3) relative to rest, degrees


@dataclass(frozen=True)
class Motion:
    """A motion of the head.

    Attributes:
        name: for the table.
        expected: the type of gesture to be detected; empty for none.
        angles: the motion.
    """

    name: str
    expected: str
    angles: Angles


@dataclass(frozen=True)
class Detection:
    """The result for one motion: the fraction of the simulations with exactly the expected events.

    Attributes:
        correct: fraction of the simulations with one gesture of the expected type, or none if none is expected.
        false: fraction of the simulations with an unexpected event.
        delay: mean time from the beginning of the motion to the event, seconds; NaN without events.
    """

    correct: float
    false: float
    delay: float


def gesture(kind: str, amplitude: float, frequency: float) -> Angles:
    """A sinusoid from BEGIN to END of an amplitude in degrees and a frequency in Hz."""
    column = {SHAKE: 0, NOD: 1}[kind]

    def angles(t: FloatArray) -> FloatArray:
        result = np.zeros((len(t), 3))
        is_on = (t >= BEGIN) & (t <= END)
        wave = np.sin(2 * np.pi * frequency * (t - BEGIN))
        result[:, column] = np.where(is_on, amplitude * wave, 0.0)
        return result

    return angles


def turn(yaw: float, pitch: float, seconds: float) -> Angles:
    """A turn of the head and back, each in a number of seconds, and a pause of half a second between them."""

    def angles(t: FloatArray) -> FloatArray:
        away = np.clip((t - 1.0) / seconds, 0.0, 1.0) - np.clip((t - 1.5 - seconds) / seconds, 0.0, 1.0)
        smooth = away * away * (3.0 - 2.0 * away)
        return smooth[:, None] * (yaw, pitch, 0.0)

    return angles


def walk(pitch: float, yaw: float, roll: float, steps: float) -> Angles:
    """Head motion while walking, by steps per second: pitch has the period of a step, yaw and roll of two."""

    def angles(t: FloatArray) -> FloatArray:
        step, stride = 2 * np.pi * steps * t, np.pi * steps * t
        return np.column_stack([yaw * np.sin(stride), pitch * np.sin(step), roll * np.cos(stride)])

    return angles


def circle(amplitude: float, frequency: float) -> Angles:
    """A circular motion, which is neither a nod nor a shake."""

    def angles(t: FloatArray) -> FloatArray:
        phase = 2 * np.pi * frequency * t
        return amplitude * np.column_stack([np.cos(phase), np.sin(phase), 0.0 * t])

    return angles


def motions() -> list[Motion]:
    """The simulated motions."""
    gestures = [
        Motion(f"{kind}, {amplitude:g} degrees, {frequency:g} Hz", kind, gesture(kind, amplitude, frequency))
        for kind, amplitude, frequency in itertools.product((NOD, SHAKE), (5.0, 8.0, 15.0), (2.0, 2.5, 3.0))
    ]
    others = {
        "still": lambda t: np.zeros((len(t), 3)),
        "slow turn, yaw 40 degrees in 1 s": turn(40.0, 0.0, 1.0),
        "quick turn, yaw 40 degrees in 0.4 s": turn(40.0, 0.0, 0.4),
        "look down and up, 25 degrees in 0.4 s": turn(0.0, -25.0, 0.4),
        "sway, 10 degrees at 0.4 Hz": lambda t: np.outer(10.0 * np.sin(2 * np.pi * 0.4 * t), (1.0, 0.5, 0.5)),
        "walk, 1.8 steps/s: pitch 2, yaw 2, roll 1": walk(2.0, 2.0, 1.0, 1.8),
        "walk, 2.2 steps/s: pitch 2, yaw 1, roll 2": walk(2.0, 1.0, 2.0, 2.2),
        "walk, 1.8 steps/s: pitch 2.5, yaw 2, roll 1": walk(2.5, 2.0, 1.0, 1.8),
        "walk, 1.8 steps/s: pitch 4, yaw 1, roll 1": walk(4.0, 1.0, 1.0, 1.8),
        "circle, 8 degrees at 2 Hz": circle(8.0, 2.0),
        "tilts, roll 10 degrees at 2 Hz": lambda t: np.outer(10.0 * np.sin(4 * np.pi * t), (0.0, 0.0, 1.0)),
    }
    return gestures + [Motion(name, "", angles) for name, angles in others.items()]


def detect(motion: Motion, config: ExpressionConfig, noise: float | None = None) -> Detection:
    """Simulate a motion; ``noise`` in degrees selects one of NOISES."""
    results = [
        _events(motion.angles, config, *setting)
        for setting in itertools.product(ORIENTATIONS, RATES, PITCH_GAINS, NOISES if noise is None else (noise,))
    ]
    expected = [motion.expected] if motion.expected else []
    correct = [[kind for kind, _ in events] == expected for events in results]
    false = [any(kind not in expected for kind, _ in events) or len(events) > len(expected) for events in results]
    delays = [events[0][1] - BEGIN for events in results if events]
    return Detection(float(np.mean(correct)), float(np.mean(false)), float(np.mean(delays)) if delays else float("nan"))


def _events(
    angles: Angles,
    config: ExpressionConfig,
    orientation: tuple[float, float, float],
    rate: float,
    pitch_gain: float,
    noise: float,
) -> list[tuple[str, float]]:
    """Type and time of the detected gestures."""
    rng = np.random.default_rng(0)
    times = np.arange(0.0, SECONDS, 1.0 / rate) + rng.uniform(0.0, 1.0 / rate)
    relative = angles(times) * (1.0, pitch_gain, 1.0)
    measured = relative + noise * rng.standard_normal(relative.shape)
    detector, events = HeadGestures(config), []
    for t, rotation in zip(times.tolist(), _rotations(measured, orientation), strict=True):
        event = detector(rotation, t)
        if event is not None:
            events.append((event.type, t))
    return events


def _rotations(relative: FloatArray, orientation: tuple[float, float, float]) -> Iterator[FloatArray]:
    """Rotations from model axes to the camera frame; the motion is about the axes of the initial head pose."""
    rest = rotation_from_euler(*np.radians(orientation)) @ FACING_CAMERA.T
    for row in np.radians(relative).tolist():
        yield rest @ rotation_from_euler(*row)


def main() -> None:
    """Print the table."""
    config = ExpressionConfig()
    print("| motion | correct | false events | delay |\n|---|---|---|---|")
    for motion in motions():
        found = detect(motion, config)
        delay = "" if np.isnan(found.delay) else f"{found.delay:.2f} s"
        print(f"| {motion.name} | {100 * found.correct:.0f} % | {100 * found.false:.0f} % | {delay} |")


if __name__ == "__main__":
    main()
