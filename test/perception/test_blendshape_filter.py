"""The filter of the blendshapes: still at rest, quick in a blink, never far behind."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.config import SmoothingConfig
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.stillness import delay_frames
from face_expr_ros.perception.noise_level import NoiseLevel
from face_expr_ros.perception.smoothing import OneEuro, _open_blendshape_filter

RATE = 30.0
CONFIG = SmoothingConfig()


def smoothed(values: FloatArray, config: SmoothingConfig = CONFIG) -> FloatArray:
    """What the default filter makes of values (n,) or (n, m) at 30 frames a second."""
    smooth = _open_blendshape_filter(config)
    return np.array([smooth(value, 1 / RATE) for value in values])


def test_noise_of_a_still_face_is_less_than_a_hundredth() -> None:
    noise = 0.4 + np.random.default_rng(4).normal(0, 0.035, (300, 20))
    assert smoothed(noise)[60:].std(axis=0).max() < 0.01


def test_a_step_is_half_passed_within_a_frame() -> None:
    assert delay_frames(CONFIG) < 0.8


def test_a_blink_of_a_fifth_of_a_second_keeps_its_height() -> None:
    blink = np.concatenate([np.zeros(30), [0.4, 0.9, 1.0, 0.8, 0.4, 0.1], np.zeros(30)])
    assert smoothed(blink).max() > 0.95


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_a_slow_movement_is_never_far_behind(seconds: float) -> None:
    ramp = np.concatenate([np.zeros(30), np.linspace(0, 0.5, round(seconds * RATE)), np.full(30, 0.5)])
    behind = np.abs(smoothed(ramp) - ramp).max()
    print(f"\na rise of 0.5 in {seconds:g} s is followed {behind:.2f} behind at most")
    assert behind < 0.1


def test_what_stays_is_reached() -> None:
    held = np.concatenate([np.zeros(30), np.full(120, 0.5)])
    assert smoothed(held)[-1] == pytest.approx(0.5, abs=0.005)


def test_without_a_dead_zone_it_is_the_published_filter() -> None:
    values = np.random.default_rng(5).uniform(0, 1, (50, 3))
    plain, ours = OneEuro(CONFIG, 0.15), OneEuro(CONFIG, 0.15, dead_zone=0.0)
    for value in values:
        assert np.array_equal(plain(value, 1 / RATE), ours(value, 1 / RATE))


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15])
def test_noisy_values_are_filtered_more(sigma: float) -> None:
    noise = 0.4 + np.random.default_rng(6).normal(0, sigma, (400, 20))
    assert smoothed(noise)[200:].std(axis=0).max() < 0.015


def test_speech_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(300) / RATE
    jaw = 0.2 + 0.15 * np.sin(2 * np.pi * 3.0 * time)
    aware = smoothed(jaw)
    monkeypatch.setattr(NoiseLevel, "__call__", lambda self, value, elapsed: np.zeros(value.size))
    np.testing.assert_allclose(aware, smoothed(jaw), atol=0.01)


def test_a_blink_does_not_make_the_next_one_noise() -> None:
    one = np.concatenate([np.zeros(30), [0.4, 0.9, 1.0, 0.8, 0.4, 0.1]])
    blinks = np.tile(one, 6)
    assert smoothed(blinks)[-10:].max() > 0.93


def test_noise_is_measured() -> None:
    rng, level = np.random.default_rng(7), NoiseLevel(3)
    sigma = np.zeros(3)
    for _ in range(400):
        sigma = level(np.array([0.0, 0.05, 0.1]) * rng.normal(size=3), 1 / RATE)
    assert sigma == pytest.approx([0.0, 0.05, 0.1], rel=0.5, abs=1e-6)
