"""The remembered shape: frames of one expression count once, other expressions add to it."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.perception.fitting.shape_memory import ShapeMemory, telling_blendshapes

LIMIT = 0.97
NAMES = ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft")
NEUTRAL, SMILE, BLINK = np.zeros(3), np.array([0.0, 0.5, 0.0]), np.array([0.0, 0.0, 0.9])


def memory() -> ShapeMemory:
    return ShapeMemory(1, LIMIT, telling_blendshapes(NAMES))


def solved(past: ShapeMemory, observed: float, weight: float = 4.0) -> np.ndarray:
    """The shape that a frame gives: a measurement of this weight and the prior."""
    certainty = past.inverse_variance()
    return (weight * observed + certainty * past.expected()) / (weight + certainty)


def test_nothing_is_known_at_first() -> None:
    assert memory().inverse_variance() == 1.0
    assert memory().expected() == pytest.approx([0.0])


def test_a_face_that_does_not_move_keeps_its_shape() -> None:
    past = memory()
    for _ in range(2000):
        past.update(solved(past, 1.0), SMILE)
    assert past.shape == pytest.approx([4 / 5])  # as of one frame: 4 / (4 + 1)
    assert past.inverse_variance() == pytest.approx(1 / (1 - LIMIT))


def test_blinks_do_not_make_it_another_view() -> None:
    past = memory()
    for number in range(1000):
        past.update(solved(past, 1.0), BLINK if number % 90 < 5 else NEUTRAL)
    assert past.shape == pytest.approx([4 / 5])


def test_expressions_that_vary_add_up() -> None:
    past = memory()
    for number in range(3000):
        past.update(solved(past, 1.0), SMILE if number % 60 < 30 else NEUTRAL)
    assert past.shape[0] > 0.9


def test_gaze_and_lids_tell_no_view() -> None:
    assert telling_blendshapes(NAMES).tolist() == [True, True, False]
