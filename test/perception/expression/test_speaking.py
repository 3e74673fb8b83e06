"""Speech is recognized by repeated motion of the lips, with hysteresis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.perception.expression.speaking import LipMotion

CONFIG = ExpressionConfig()
Curve = Callable[[float], float]  # seconds -> AU25


def read(curve: Curve, seconds: float = 4.0, rate: float = 30.0, noise: float = 0.0) -> np.ndarray:
    """`speaking` at each frame."""
    lips, rng = LipMotion(CONFIG), np.random.default_rng(0)
    times = np.arange(0.0, seconds, 1.0 / rate)
    return np.array([lips(curve(t) + noise * rng.standard_normal(), t) for t in times.tolist()])


def syllables(t: float) -> float:
    """Four a second, from 1 to 3 seconds."""
    return 0.1 * (1.0 - np.cos(2 * np.pi * 4.0 * t)) if 1.0 <= t <= 3.0 else 0.0


def once(t: float) -> float:
    """Lips that open at 1 second and stay open, as in a smile."""
    return 0.5 * min(1.0, max(0.0, 2.0 * (t - 1.0)))


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_syllables_are_speech_until_they_have_left_the_window(rate: float) -> None:
    speaks = read(syllables, 5.0, rate) >= 0.5
    times = np.arange(0.0, 5.0, 1.0 / rate)
    assert not speaks[times < 1.0].any()
    assert speaks[(times > 1.7) & (times < 3.0)].all()
    assert not speaks[times > 4.0].any()


def yawn(t: float) -> float:
    """Lips that open and close once, from 1 to 1.8 seconds."""
    return 0.5 * (1.0 - np.cos(2 * np.pi * (t - 1.0) / 0.8)) if 1.0 <= t <= 1.8 else 0.0


@pytest.mark.parametrize("curve", [once, yawn, lambda t: 0.0, lambda t: 0.8, lambda t: 0.1 * t])
def test_still_lips_and_a_single_opening_are_not_speech(curve: Curve) -> None:
    assert (read(curve) < 0.5).all()


def test_noise_of_still_lips_is_not_speech() -> None:
    assert (read(lambda t: 0.3, 20.0, 60.0, noise=0.005) < 0.5).all()


def test_values_are_between_zero_and_one() -> None:
    values = read(lambda t: 0.5 - 0.5 * np.cos(20.0 * t))
    assert values.min() >= 0.0
    assert values.max() == 1.0


def test_speech_ends_at_two_fifths_of_the_threshold_at_which_it_begins() -> None:
    """A motion between both: an ongoing speaker continues, a silent person does not start."""
    between = lambda t: 0.04 * (1.0 - np.cos(2 * np.pi * 3.0 * t))  # noqa: E731
    assert (read(between) < 0.5).all()
    values = read(lambda t: syllables(t) if t < 2.0 else between(t), 4.0)
    assert (values[60:] >= 0.5).all()


@pytest.mark.parametrize("again", [3.0, -3.0])
def test_gap_or_time_jump_resets_speech(again: float) -> None:
    lips = LipMotion(CONFIG)
    for n in range(60):
        value = lips(syllables(1.0 + n / 30), n / 30)
    assert value >= 0.5
    assert lips(0.1, 2.0 + again) == 0.0


def test_lip_motion_with_restored_state_continues() -> None:
    first, second = LipMotion(CONFIG), LipMotion(CONFIG)
    for n in range(90):
        if n == 45:
            second.load_state_dict(first.state_dict())
        value = first(syllables(n / 30), n / 30)
        if n >= 45:
            assert second(syllables(n / 30), n / 30) == value
