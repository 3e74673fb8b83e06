"""Filters: low noise at rest, little lag in movement, and time from the stamps alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.core.config import SmoothingConfig
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Landmarks, Pose, Roi
from face_expr_ros.perception.smoothing import OneEuro, Smoother, WindowMean

FRAME_NS = 33_333_333
FRAME_S = FRAME_NS * 1e-9


def face(value: float = 0.0, rotation: Rotation | None = None, face_id: str = "f1") -> Face:
    pose = Pose((rotation or Rotation.identity()).as_matrix(), np.full(3, value), metric=True)
    fit = FaceFit(
        pose,
        shape=np.full(40, value),
        expression=np.full(52, value),
        residual=0.0,
        landmarks68=np.full((68, 3), value * 100),
        weak_perspective=np.full((3, 4), value),
        confidence=1.0,
    )
    landmarks = Landmarks(np.full((478, 3), value * 100, dtype=np.float32), confidence=1.0)
    return Face(face_id, 1.0, Roi(0, 0, 100, 100), landmarks, fit, Blendshapes(("jawOpen",), np.array([value])))


def test_noise_of_a_still_value_is_reduced() -> None:
    rng = np.random.default_rng(0)
    smooth = OneEuro(SmoothingConfig(), unit=0.15)
    noise = rng.normal(0, 0.01, 600)
    out = np.array([smooth(np.array([0.5 + n]), FRAME_S)[0] for n in noise])
    assert out[100:].std() < 0.6 * noise.std()


def test_most_of_a_step_passes_within_two_frames() -> None:
    smooth = OneEuro(SmoothingConfig(), unit=0.15)
    for _ in range(30):
        smooth(np.array([0.0]), FRAME_S)
    values = [smooth(np.array([0.5]), FRAME_S)[0] for _ in range(3)]
    assert values[0] > 0.25
    assert values[1] > 0.4


@pytest.mark.parametrize("elapsed", [0.0, -1.0, 5.0])
def test_a_time_jump_restarts_the_filter(elapsed: float) -> None:
    smooth = OneEuro(SmoothingConfig(), unit=1.0)
    smooth(np.array([0.0]), FRAME_S)
    assert smooth(np.array([1.0]), elapsed)[0] == 1.0


def test_the_first_frame_passes_unchanged() -> None:
    (out,) = Smoother(SmoothingConfig())((face(0.7),), 0)
    assert out.fit.expression == pytest.approx(np.full(52, 0.7))
    assert out.landmarks is not None
    assert out.landmarks.points == pytest.approx(np.full((478, 3), 70.0))
    assert out.fit.landmarks68 == pytest.approx(np.full((68, 3), 70.0))
    assert out.fit.weak_perspective == pytest.approx(np.full((3, 4), 0.7))


def test_missing_landmarks_restart_their_filter() -> None:
    smoother = Smoother(SmoothingConfig())
    smoother((face(0.0),), 0)
    (unseen,) = smoother((replace(face(0.0), landmarks=None),), FRAME_NS)
    assert unseen.landmarks is None
    (seen,) = smoother((face(0.5),), 2 * FRAME_NS)
    assert seen.landmarks is not None
    assert seen.landmarks.points == pytest.approx(np.full((478, 3), 50.0))
    assert seen.fit.expression[0] < 0.5


def test_the_68_points_and_the_weak_perspective_are_smoothed_alike() -> None:
    smoother = Smoother(SmoothingConfig())
    points = np.random.default_rng(0).uniform(0, 300, (68, 3))
    matrix = np.arange(12.0).reshape(3, 4)
    for scale, stamp in ((1.0, 0), (1.1, FRAME_NS)):
        moved = replace(face().fit, landmarks68=points * scale, weak_perspective=matrix * scale)
        (out,) = smoother((replace(face(), fit=moved),), stamp)
    assert ((out.fit.landmarks68 > points) & (out.fit.landmarks68 < 1.1 * points)).all()
    assert (out.fit.weak_perspective >= matrix).all()
    assert (out.fit.weak_perspective <= 1.1 * matrix).all()
    assert out.fit.weak_perspective[0, 3] < 1.1 * matrix[0, 3]


def test_faces_are_filtered_separately() -> None:
    smoother = Smoother(SmoothingConfig())
    smoother((face(0.0, face_id="f1"), face(1.0, face_id="f2")), 0)
    first, second = smoother((face(0.0, face_id="f1"), face(1.0, face_id="f2")), FRAME_NS)
    assert first.fit.expression[0] == pytest.approx(0.0)
    assert second.fit.expression[0] == pytest.approx(1.0)


def test_a_rotation_through_180_degrees_is_continuous() -> None:
    smoother = Smoother(SmoothingConfig())
    last = None
    for i in range(80):
        true = Rotation.from_euler("y", 170 + i * 0.5, degrees=True)
        (out,) = smoother((face(rotation=true),), i * FRAME_NS)
        got = Rotation.from_matrix(out.fit.pose.rotation)
        assert np.degrees((got.inv() * true).magnitude()) < 6.0
        if last is not None:
            assert np.degrees((last.inv() * got).magnitude()) < 2.0
        last = got


def test_method_none_does_not_smooth() -> None:
    smoother = Smoother(SmoothingConfig(method="none"))
    smoother((face(0.0),), 0)
    assert smoother((face(1.0),), FRAME_NS)[0].fit.expression[0] == 1.0


def test_window_and_one_euro_reduce_noise() -> None:
    seen = {}
    for method in ("none", "one_euro", "window"):
        smoother = Smoother(SmoothingConfig(method=method))
        for n in range(30):
            (out,) = smoother((face(0.5 + 0.01 * (-1) ** n),), n * FRAME_NS)
        seen[method] = abs(out.fit.landmarks68[0, 0] - 50.0)
    assert seen["none"] == pytest.approx(1.0)
    assert seen["one_euro"] < 0.5
    assert seen["window"] < 0.35


def test_the_lag_of_a_window_is_a_third_of_its_length() -> None:
    smooth = WindowMean(0.3)
    step = 0.001
    values = [smooth(np.array([n * step]), step)[0] for n in range(600)]
    assert 599 * step - values[-1] == pytest.approx(0.1, abs=0.002)


def test_a_window_ignores_older_values_at_any_frame_rate() -> None:
    for elapsed in (0.01, 0.04, 0.2):
        smooth = WindowMean(0.15)
        smooth(np.array([100.0]), elapsed)
        values = [smooth(np.array([1.0]), elapsed)[0] for _ in range(16)]
        assert values[-1] == 1.0


def test_a_window_weights_the_latest_value_most() -> None:
    smooth = WindowMean(0.1)
    smooth(np.array([0.0]), 0.0)
    smooth(np.array([0.0]), 0.05)
    assert smooth(np.array([3.0]), 0.025)[0] == pytest.approx(3.0 / (1 + 0.75 + 0.25))


@pytest.mark.parametrize("elapsed", [0.0, -1.0, 5.0])
def test_a_time_jump_restarts_a_window(elapsed: float) -> None:
    smooth = WindowMean(0.15)
    smooth(np.array([0.0]), FRAME_S)
    assert smooth(np.array([1.0]), elapsed)[0] == 1.0


def test_a_value_that_is_not_finite_does_not_affect_the_others() -> None:
    smooth = OneEuro(SmoothingConfig(), unit=1.0)
    smooth(np.zeros(3), FRAME_S)
    assert np.isnan(smooth(np.array([0.0, np.nan, 1.0]), FRAME_S)).tolist() == [False, True, False]
