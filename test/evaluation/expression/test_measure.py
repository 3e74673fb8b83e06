"""Expression evaluation: scores, synthetic people, readers, invariance, and the delay of the filter."""

from __future__ import annotations

import numpy as np
import pytest
from support.observations import NAMES, observation

from face_expr_ros.core.config import ExpressionConfig, SmoothingConfig
from face_expr_ros.core.geometry import euler_angles, project, rotation_to_axis
from face_expr_ros.core.types import Blendshapes
from face_expr_ros.evaluation.expression.invariance import enlarged, pose_ratios, shifted
from face_expr_ros.evaluation.expression.readers import ordered_values, stage_reader
from face_expr_ros.evaluation.expression.scores import GROUPS, members, scores
from face_expr_ros.evaluation.expression.stillness import delay_frames
from face_expr_ros.evaluation.expression.synthetic import TARGET_CORRELATIONS, target_correlation
from face_expr_ros.evaluation.expression.synthetic_people import (
    CAMERA,
    MAX_YAW,
    SIDE,
    Observation,
    SyntheticPerson,
    random_pose,
)
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.neutral import Neutrals

RNG = np.random.default_rng(3)


def test_every_blendshape_belongs_to_one_group() -> None:
    assert sorted(index for group in GROUPS for index in members(NAMES, group)) == list(range(52))


def test_targets_refer_to_existing_blendshapes() -> None:
    stems = {name.removesuffix("Left").removesuffix("Right") for name in NAMES} | set(NAMES)
    assert set(TARGET_CORRELATIONS) <= stems
    assert (
        target_correlation("eyeBlinkLeft")
        == target_correlation("eyeBlinkRight")
        == target_correlation("mouthLeft")
        == 0.9
    )
    assert target_correlation("noseSneerRight") == 0.5
    assert target_correlation("tongueOut") is None


def test_exact_values_have_no_error_and_r2_of_1() -> None:
    truth = RNG.uniform(0, 1, (30, 52))
    result = scores(NAMES, truth, truth)
    assert result["mean"] == pytest.approx({"mae": 0.0, "correlation": 1.0, "r2": 1.0})
    assert set(result["correlation"]) == set(NAMES)
    assert set(result["groups"]) == set(GROUPS)


def test_mean_predictor_has_no_correlation_and_r2_of_0() -> None:
    truth = RNG.uniform(0, 1, (30, 52))
    result = scores(NAMES, truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    assert result["mean"]["correlation"] == 0.0
    assert result["mean"]["r2"] == pytest.approx(0.0)
    assert result["mean"]["mae"] == pytest.approx(0.25, abs=0.03)  # of a uniform distribution


def test_wrong_scale_changes_r2_but_not_the_correlation() -> None:
    truth = RNG.uniform(0, 1, (30, 52))
    result = scores(NAMES, truth, 0.5 * truth)
    assert result["mean"]["correlation"] == pytest.approx(1.0)
    assert result["mean"]["r2"] < 0.0


@pytest.mark.parametrize("number", range(5))
def test_random_poses_have_limited_yaw_and_the_head_in_the_image(number: int) -> None:
    for pose in (random_pose(np.random.default_rng([number, k])) for k in range(50)):
        along_ray = rotation_to_axis(pose.position) @ pose.rotation
        assert abs(np.degrees(euler_angles(along_ray)[0])) <= MAX_YAW + 1e-6
        ring = pose.position + 0.14 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
        pixels = project(ring, CAMERA)[:, :2]
        assert 0 <= pixels.min() <= pixels.max() <= SIDE - 1


def test_synthetic_person_is_reproducible_from_its_number() -> None:
    model, rest = open_face_model("open"), np.zeros(52)
    pictures = [SyntheticPerson(model, number).render_noisy(rest) for number in (4, 4, 5)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_stage_reader_calibrates_the_neutral_expression_per_call() -> None:
    smile = np.array([0.4 * (name == "mouthSmileLeft") for name in NAMES])
    read = stage_reader(Coefficients(NAMES, np.ones(52), Neutrals(ExpressionConfig())), NAMES)
    known = read(observation(smile), [observation(smile), observation()])
    unknown = read(None, [observation(smile)])
    assert known == pytest.approx(np.zeros((2, 52)), abs=1e-9)
    assert unknown[0, NAMES.index("mouthSmileLeft")] == pytest.approx(0.4)


def test_backend_without_arkit_names_is_rejected() -> None:
    with pytest.raises(ValueError, match="expected blendshapes with ARKit names such as eyeBlinkLeft"):
        ordered_values(Blendshapes(("expression_0", "expression_1"), np.zeros(2)), NAMES)


def test_missing_names_have_the_value_0() -> None:
    assert ordered_values(Blendshapes(("jawOpen",), np.array([0.7])), ("tongueOut", "jawOpen")) == pytest.approx(
        [0.0, 0.7]
    )


PIXELS = np.array([[100, 120], [333, 90], [240, 400]])


def pixel_observation() -> Observation:
    """An observation with three landmarks at pixel centers."""
    points = np.tile(np.append(PIXELS[0], 7.0), (478, 1))
    points[:3, :2] = PIXELS
    return observation(points=points)


@pytest.mark.parametrize("by", [(3, -2), (-7, 5), (64, 32)])
def test_shift_moves_image_and_landmarks_consistently(by: tuple[int, int]) -> None:
    before = pixel_observation()
    after = shifted(before, *by)
    assert after.track.landmarks is not None
    moved = after.track.landmarks.points[:3, :2].astype(int)
    assert np.array_equal(moved, PIXELS + by)
    assert np.array_equal(after.frame.image[moved[:, 1], moved[:, 0]], before.frame.image[PIXELS[:, 1], PIXELS[:, 0]])
    assert after.frame.camera.matrix[:2, 2] == pytest.approx(CAMERA.matrix[:2, 2] + by)


def test_enlarging_places_pixel_centers_between_the_four_copies() -> None:
    before = pixel_observation()
    after = enlarged(before)
    assert after.track.landmarks is not None
    assert after.frame.image.shape == (2 * SIDE, 2 * SIDE, 3)
    centers = after.track.landmarks.points[:3, :2]
    assert np.array_equal(centers, 2 * PIXELS + 0.5)
    for (x, y), (left, top) in zip(PIXELS, np.floor(centers).astype(int), strict=True):
        part = after.frame.image[top : top + 2, left : left + 2].reshape(-1, 3)
        assert (part == before.frame.image[y, x]).all()
    assert after.track.landmarks.points[0, 2] == 14.0


def test_pose_ratio_is_0_for_values_independent_of_the_pose() -> None:
    truth = np.array([[0.0, 0.5], [0.8, 0.5]])
    steady = np.repeat(truth[:, None], 5, axis=1)
    ratios = pose_ratios(("jawOpen", "mouthLeft"), truth, steady)
    assert ratios == {"pose_ratio": 0.0, "pose_ratio_pooled": 0.0, "pose_ratio_by_name": {"jawOpen": 0.0}}


def test_pose_ratio_is_pose_variance_over_expression_variance() -> None:
    truth = np.array([[0.0], [1.0]])
    values = truth[:, None] + np.array([-0.1, 0.1])[None, :, None]
    assert pose_ratios(("jawOpen",), truth, values)["pose_ratio"] == pytest.approx(0.01 / 0.25)


def test_weak_blendshapes_have_little_weight_in_the_pooled_ratio() -> None:
    truth = np.array([[0.0, 0.0], [1.0, 1.0]])
    values = truth[:, None] * [1.0, 0.01] + np.array([-0.1, 0.1])[None, :, None]
    ratios = pose_ratios(("jawOpen", "jawForward"), truth, values)
    assert ratios["pose_ratio_by_name"]["jawForward"] > 100
    assert ratios["pose_ratio_pooled"] == pytest.approx(0.02 / 0.250025)


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        (SmoothingConfig(method="none"), 0.5, 0.5),
        (SmoothingConfig(), 0.5, 1.0),
        (SmoothingConfig(blendshape_cutoff=0.5, blendshape_beta=0.0), 3.0, 8.0),
        (SmoothingConfig(method="window", window=0.3), 1.5, 4.0),
    ],
)
def test_filter_delay_is_measured_in_frames(config: SmoothingConfig, low: float, high: float) -> None:
    assert low <= delay_frames(config) <= high
