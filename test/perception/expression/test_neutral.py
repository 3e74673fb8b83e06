"""The neutral expression of a face: calibration on request, storage per track, and slow adaptation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Pose, Roi, Track
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.neutral import Neutrals, neutrality

FRAME_NS = 33_333_333
PER_SECOND = 30
TIME_CONSTANT = 60.0  # seconds
SMILE, BLINK, FROWN = 0, 1, 2
NAMES = ("mouthSmileLeft", "eyeBlinkLeft", "mouthFrownLeft")
CAMERA = pinhole_camera(64, 48, 45.0)


class Person:
    """Simulates a face for the backend `coefficients`, frame by frame at 30 Hz."""

    def __init__(self, adapt: float = TIME_CONSTANT) -> None:
        self._reader = Coefficients(NAMES, np.ones(3), Neutrals(ExpressionConfig(neutral_time_constant=adapt)))
        self._stamp_ns = 0
        self._noise = np.random.default_rng(3)

    def show(self, seconds: float, smile: float = 0.0, blink: float = 0.0, frown: float = 0.0) -> FloatArray:
        """(n, 3) estimates while the face has these values, with noise of 0.01."""
        shown = np.array([smile, blink, frown])
        count = max(1, round(seconds * PER_SECOND))
        return np.array([self._frame(shown + self._noise.normal(0.0, 0.01, 3)) for _ in range(count)])

    def calibrate(self) -> int:
        return self._reader.calibrate()

    def pause(self, seconds: float) -> None:
        self._stamp_ns += int(seconds * 1e9)

    def _frame(self, shown: FloatArray) -> FloatArray:
        self._stamp_ns += FRAME_NS
        frame = Frame(np.zeros((48, 64, 3), np.uint8), self._stamp_ns, "", CAMERA)
        pose = Pose(np.eye(3), np.zeros(3), True)
        fit = FaceFit(pose, np.zeros(40), shown, 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
        (answer,) = self._reader(frame, [Track("f1", Roi(0, 0, 9, 9), None, fresh=False)], [fit])
        return answer.values


def states(neutrals: Neutrals, values: Iterable[float], face_id: str = "f1") -> None:
    """Observe a sequence of values, both as states and as estimates."""
    for number, value in enumerate(values):
        neutrals.observe(face_id, np.array([value]), np.array([value]), number * FRAME_NS)


def test_the_neutral_expression_is_unknown_before_calibration() -> None:
    neutrals = Neutrals(ExpressionConfig())
    states(neutrals, [0.1] * 90)
    assert neutrals.get("f1") is None
    assert neutrals.calibrate(["f1"]) == 1
    assert neutrals.get("f1") == pytest.approx([0.1])


def test_a_blink_during_calibration_is_ignored() -> None:
    person = Person(adapt=0.0)
    person.show(2.0, frown=0.2)
    person.show(0.3, frown=0.2, blink=0.9)
    assert person.calibrate() == 1
    assert person.show(1.0, blink=0.9)[:, BLINK].mean() == pytest.approx(0.9, abs=0.02)
    assert person.show(1.0, frown=0.2)[:, FROWN].mean() < 0.02


def test_calibration_uses_the_last_second_only() -> None:
    neutrals = Neutrals(ExpressionConfig())
    states(neutrals, [0.8] * 300 + [0.1] * 31)
    neutrals.calibrate(["f1"])
    assert neutrals.get("f1") == pytest.approx([0.1])


def test_a_single_frame_is_enough_to_calibrate() -> None:
    neutrals = Neutrals(ExpressionConfig())
    states(neutrals, [0.3])
    assert neutrals.calibrate(["f1", "never seen"]) == 1
    assert neutrals.get("f1") == pytest.approx([0.3])


def test_neutral_expressions_of_lost_faces_are_deleted() -> None:
    neutrals = Neutrals(ExpressionConfig())
    for face_id in ("f1", "f2"):
        neutrals.set(face_id, np.array([0.5]))
    neutrals.keep({"f2", "f3"})
    assert neutrals.get("f1") is None
    assert neutrals.get("f2") is not None
    neutrals.reset()
    assert neutrals.get("f2") is None


def test_without_adaptation_the_neutral_expression_is_constant() -> None:
    neutrals = Neutrals(ExpressionConfig())
    neutrals.set("f1", np.array([0.2]))
    states(neutrals, [0.0] * 3000)
    assert neutrals.get("f1") == pytest.approx([0.2])


def test_a_neutral_face_is_learned_within_seconds() -> None:
    person = Person()
    assert person.show(0.5, frown=0.15)[:, FROWN].mean() == pytest.approx(0.15, abs=0.01)
    person.show(10.0, frown=0.15)
    assert person.show(1.0, frown=0.15)[:, FROWN].mean() < 0.02


def test_a_smile_held_for_a_minute_keeps_its_value() -> None:
    person = Person()
    person.show(20.0, frown=0.1)
    before = person.show(0.1, smile=0.5)[:, SMILE].mean()
    after = person.show(60.0, smile=0.5)[-PER_SECOND:, SMILE].mean()
    assert after == pytest.approx(before, abs=0.01)


def test_a_slight_smile_held_for_a_minute_loses_little() -> None:
    person = Person()
    person.show(60.0)
    assert person.show(60.0, smile=0.2)[-PER_SECOND:, SMILE].mean() > 0.16


def test_a_smile_from_the_first_frame_is_not_taken_as_neutral() -> None:
    assert Person().show(60.0, smile=0.5)[-1, SMILE] == pytest.approx(0.5, abs=0.05)


def test_blinks_and_speech_do_not_change_the_learned_neutral() -> None:
    person = Person()
    person.show(20.0, frown=0.1)
    for _ in range(20):
        person.show(0.2, blink=0.9, frown=0.1)
        person.show(0.5, smile=0.4)
    assert np.abs(person.show(1.0, frown=0.1).mean(axis=0)).max() < 0.02


def test_a_calibrated_neutral_adapts_with_the_time_constant() -> None:
    person = Person()
    person.show(1.0, frown=0.3)
    person.calibrate()
    person.show(3 * TIME_CONSTANT, frown=0.2)
    # 95 % of the change after three time constants.
    assert person.show(1.0, frown=0.3)[:, FROWN].mean() == pytest.approx((0.3 - 0.205) / (1 - 0.205), abs=0.02)


def test_a_pause_between_frames_is_not_learned() -> None:
    neutrals = Neutrals(ExpressionConfig(neutral_time_constant=TIME_CONSTANT))
    for second in range(100):
        neutrals.observe("f1", np.array([0.1]), np.zeros(1), second * 1_000_000_000)
    assert neutrals.get("f1") is None


@pytest.mark.parametrize("stamps", [[5, 5, 5], [9, 5, 1]], ids=["equal", "decreasing"])
def test_equal_and_earlier_stamps_are_not_learned(stamps: list[int]) -> None:
    neutrals = Neutrals(ExpressionConfig(neutral_time_constant=TIME_CONSTANT))
    neutrals.set("f1", np.array([0.5]))
    for stamp in stamps:
        neutrals.observe("f1", np.array([0.1]), np.zeros(1), stamp * FRAME_NS)
    assert neutrals.get("f1") == pytest.approx([0.5])
    assert neutrals.calibrate(["f1"]) == 1


def test_values_that_are_not_finite_are_not_learned() -> None:
    neutrals = Neutrals(ExpressionConfig(neutral_time_constant=TIME_CONSTANT))
    states(neutrals, [0.1] * 60 + [np.nan] + [0.1] * 60)
    assert neutrals.get("f1") == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("values", "expected"), [([0.0, 0.0], 1.0), ([0.15, 0.0], 0.25), ([0.0, 0.3], 0.0), ([1.0], 0.0)]
)
def test_neutrality_decreases_with_the_strongest_movement(values: list[float], expected: float) -> None:
    assert neutrality(np.array(values)) == pytest.approx(expected)
