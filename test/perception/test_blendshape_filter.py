"""The filter of the blendshapes: low noise on a still face, no loss of a blink, little lag."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.config import SmoothingConfig
from face_expr_ros.core.geometry import euler_angles, rotation_from_euler
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, FloatArray, Pose, Roi
from face_expr_ros.evaluation.expression.stillness import delay_frames
from face_expr_ros.kernels.one_euro import NoiseLevels, filter_step, new_state
from face_expr_ros.perception import smoothing
from face_expr_ros.perception.smoothing import OneEuro, Smoother

RATE = 30.0
CONFIG = SmoothingConfig()


def face(values: FloatArray) -> Face:
    pose = Pose(np.eye(3), np.ones(3), metric=True)
    fit = FaceFit(pose, np.zeros(1), np.zeros(1), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), confidence=1.0)
    names = tuple(f"blendshape{index}" for index in range(len(values)))
    return Face("f1", 1.0, Roi(0, 0, 100, 100), None, fit, Blendshapes(names, values))


def smoothed(values: FloatArray) -> FloatArray:
    """Blendshapes (n,) or (n, m) after the default filter, at 30 frames per second."""
    smoother = Smoother(CONFIG)
    stamps = [round(number / RATE * 1e9) for number in range(len(values))]
    rows = values.reshape(len(values), -1)
    faces = [smoother((face(row),), stamp)[0] for row, stamp in zip(rows, stamps, strict=True)]
    return np.array([one.blendshapes.values for one in faces]).reshape(values.shape)


def test_noise_of_a_still_face_is_below_a_hundredth() -> None:
    noise = 0.4 + np.random.default_rng(4).normal(0, 0.035, (300, 20))
    assert smoothed(noise)[60:].std(axis=0).max() < 0.01


def test_half_of_a_step_passes_within_a_frame() -> None:
    assert delay_frames(CONFIG) < 0.8


def test_a_blink_of_a_fifth_of_a_second_keeps_its_height() -> None:
    blink = np.concatenate([np.zeros(30), [0.4, 0.9, 1.0, 0.8, 0.4, 0.1], np.zeros(30)])
    assert smoothed(blink).max() > 0.95


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_the_lag_of_a_slow_movement_is_small(seconds: float) -> None:
    ramp = np.concatenate([np.zeros(30), np.linspace(0, 0.5, round(seconds * RATE)), np.full(30, 0.5)])
    lag = np.abs(smoothed(ramp) - ramp).max()
    print(f"\na rise of 0.5 in {seconds:g} s: a lag of {lag:.2f} at most")
    assert lag < 0.1


def test_a_constant_value_is_reached() -> None:
    held = np.concatenate([np.zeros(30), np.full(120, 0.5)])
    assert smoothed(held)[-1] == pytest.approx(0.5, abs=0.005)


def published_one_euro(values: FloatArray, config: SmoothingConfig, unit: float) -> FloatArray:
    """Casiez, Roussel and Vogel, 2012, algorithm 1, in units of a typical movement."""

    def gain(cutoff: FloatArray) -> FloatArray:
        return 1.0 / (1.0 + RATE / (2.0 * np.pi * cutoff))

    smooth, speed, result = values[0], np.zeros(values.shape[1]), [values[0]]
    for value in values[1:]:
        rate = (value - smooth) * RATE / unit
        speed = speed + gain(np.array(config.derivative_cutoff)) * (rate - speed)
        smooth = smooth + gain(config.minimum_cutoff + config.beta * np.abs(speed)) * (value - smooth)
        result.append(smooth)
    return np.array(result)


def test_without_a_dead_zone_it_is_the_published_filter() -> None:
    values = np.random.default_rng(5).uniform(0, 1, (50, 3))
    smooth = OneEuro(CONFIG, 0.15)
    found = np.array([smooth(value, 1 / RATE) for value in values])
    np.testing.assert_allclose(found, published_one_euro(values, CONFIG, 0.15), atol=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.15])
def test_noisier_values_are_filtered_more(sigma: float) -> None:
    noise = 0.4 + np.random.default_rng(6).normal(0, sigma, (400, 20))
    assert smoothed(noise)[200:].std(axis=0).max() < 0.015


def test_speech_is_not_treated_as_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(300) / RATE
    jaw = 0.2 + 0.15 * np.sin(2 * np.pi * 3.0 * time)
    adapted = smoothed(jaw)
    monkeypatch.setattr(smoothing, "_NOISE", NoiseLevels(time_constant=np.inf))
    np.testing.assert_allclose(adapted, smoothed(jaw), atol=0.01)


def test_repeated_blinks_keep_their_height() -> None:
    one = np.concatenate([np.zeros(30), [0.4, 0.9, 1.0, 0.8, 0.4, 0.1]])
    assert smoothed(np.tile(one, 6))[-10:].max() > 0.93


def test_noise_is_measured() -> None:
    rng, state, settings = np.random.default_rng(7), new_state(np.zeros(3)), np.ones((4, 3))
    for _ in range(400):
        values = np.array([0.0, 0.05, 0.1]) * rng.normal(size=3)
        filter_step(values, 1 / RATE, settings, state, 1.0, 0, NoiseLevels())
    assert np.sqrt(state[2]) == pytest.approx([0.0, 0.05, 0.1], rel=0.5, abs=1e-6)


def yaw_smoothed(yaw: FloatArray) -> FloatArray:
    """Yaw (n,) in degrees after the default filter, at 30 frames per second."""
    smoother, blendshapes = Smoother(CONFIG), Blendshapes(("jawOpen",), np.zeros(1))
    found = []
    for number, angle in enumerate(np.radians(yaw)):
        pose = Pose(rotation_from_euler(angle, 0.0, 0.0), np.ones(3), metric=True)
        fit = FaceFit(pose, np.zeros(1), np.zeros(1), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), confidence=1.0)
        smooth = smoother((Face("f1", 1.0, Roi(0, 0, 100, 100), None, fit, blendshapes),), round(number / RATE * 1e9))
        found.append(np.degrees(euler_angles(smooth[0].fit.pose.rotation)[0]))
    return np.array(found)


def test_yaw_of_a_still_head_varies_by_less_than_a_tenth_of_a_degree() -> None:
    noise = np.random.default_rng(8).normal(0, 0.4, 200)
    assert yaw_smoothed(20.0 + noise)[60:].std() < 0.05


def test_a_turned_head_is_reached_within_a_frame() -> None:
    noise = np.random.default_rng(9).normal(0, 0.3, 90)
    turned = np.concatenate([np.zeros(60), np.full(30, 10.0)]) + noise
    assert yaw_smoothed(turned)[60] > 5.0
