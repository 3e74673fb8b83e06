"""The AFLW2000-3D protocol with known errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.aflw2000_truth import COUNT, perfect, random_truth
from support.paths import ROOT

from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler, rotation_to_axis, weak_perspective
from face_expr_ros.core.types import Pose
from face_expr_ros.evaluation.aflw2000 import (
    CURVE_NME,
    MIRRORED,
    GroundTruth,
    Prediction,
    apparent_rotation,
    expression_r2,
    measure,
    nme,
    summarize,
    yaw_bins,
)
from face_expr_ros.evaluation.aflw2000_data import open_dataset
from face_expr_ros.models.bundle import open_face_model

REAL = ROOT.parent / "shared" / "data" / "aflw2000"


@pytest.fixture
def truth() -> GroundTruth:
    return random_truth()


def test_shift_of_5_pixels_in_a_120_by_30_box_is_an_nme_of_5_sixtieths(truth: GroundTruth) -> None:
    assert nme(truth.original + np.array([3.0, 4.0]), truth.original) == pytest.approx(np.full(COUNT, 100 * 5 / 60))


def test_mouth_nme_is_normalized_by_the_size_of_the_whole_face(truth: GroundTruth) -> None:
    moved = truth.original.copy()
    moved[:, 48:68] += [0.0, 6.0]
    errors = measure(truth, [replace(one, landmarks68=p) for one, p in zip(perfect(truth), moved, strict=True)])
    assert errors.mouth_nme["original"] == pytest.approx(np.full(COUNT, 10.0))
    assert errors.nme["original"] == pytest.approx(np.full(COUNT, 10.0 * 20 / 68))


def test_original_points_are_compared_with_and_without_their_offset(truth: GroundTruth) -> None:
    errors = measure(truth, [replace(one, landmarks68=one.landmarks68 - 1) for one in perfect(truth)])
    assert errors.nme["original_from_zero"] == pytest.approx(np.zeros(COUNT))
    assert errors.nme["original"] == pytest.approx(np.full(COUNT, 100 * np.sqrt(2) / 60))
    assert errors.nme["reannotated"] == pytest.approx(np.full(COUNT, 100 * np.sqrt(18) / 60))


@pytest.mark.parametrize(
    ("yaw_deg", "number"), [(0, 0), (30, 0), (-30, 0), (30.01, 1), (-45, 1), (60, 1), (60.01, 2), (-95, 2)]
)
def test_edge_between_bins_belongs_to_the_lower_bin(yaw_deg: float, number: int) -> None:
    assert yaw_bins(np.array([yaw_deg])).tolist() == [number]


def test_perfect_predictions_have_no_errors(truth: GroundTruth) -> None:
    predictions = perfect(truth)
    result = summarize(truth, predictions, measure(truth, predictions), basel=True)
    assert result["nme"]["original"] == {"bins": [0, 0, 0], "mean_of_bins": 0, "mean": 0}
    assert result["pose_mae_deg"] == pytest.approx({"yaw": 0, "pitch": 0, "roll": 0, "mean": 0}, abs=1e-6)
    assert result["geodesic_deg"] == pytest.approx({"mean": 0, "median": 0}, abs=1e-5)
    assert result["expression_r2"] == pytest.approx(1.0)
    assert result["detection_rate"] == {"bins": [1, 1, 1], "all": 1}
    assert result["images_by_bin"] == [2, 2, 2]


def test_mean_of_bins_weights_bins_and_plain_mean_weights_images() -> None:
    truth = random_truth(5)  # 0, 20 | 40, 60 | 80 degrees
    moved = truth.original + np.array([0, 0, 0, 0, 6.0])[:, None, None] * [1.0, 0.0]
    predictions = [replace(one, landmarks68=points) for one, points in zip(perfect(truth), moved, strict=True)]
    figures = summarize(truth, predictions, measure(truth, predictions), basel=False)["nme"]["original"]
    assert figures["bins"] == pytest.approx([0, 0, 10])
    assert figures["mean_of_bins"] == pytest.approx(10 / 3)
    assert figures["mean"] == pytest.approx(2)


def test_missed_face_lowers_detection_rate_and_curve_but_not_the_nme(truth: GroundTruth) -> None:
    predictions = [*perfect(truth)[:-1], None]
    errors = measure(truth, predictions)
    result = summarize(truth, predictions, errors, basel=True)
    assert result["detection_rate"] == {"bins": [1, 1, 0.5], "all": pytest.approx(5 / 6)}
    assert result["nme"]["original"]["bins"] == [0, 0, 0]
    assert result["cumulative"]["original"] == pytest.approx([5 / 6] * len(CURVE_NME))
    assert np.isnan([errors.nme["original"][-1], errors.geodesic[-1], *errors.angles[-1]]).all()


def test_no_detections_give_no_results_and_no_warnings(truth: GroundTruth) -> None:
    predictions: list[Prediction | None] = [None] * COUNT
    result = summarize(truth, predictions, measure(truth, predictions), basel=True)
    assert result["nme"]["original"] == {"bins": [None, None, None], "mean_of_bins": None, "mean": None}
    assert result["pose_mae_deg"] == {"yaw": None, "pitch": None, "roll": None, "mean": None}
    assert result["expression_r2"] is None
    assert result["detection_rate"]["all"] == 0


def test_empty_bin_leaves_no_mean_of_bins() -> None:
    truth = random_truth(2)
    predictions = perfect(truth)
    figures = summarize(truth, predictions, measure(truth, predictions), basel=True)["nme"]["original"]
    assert figures["bins"] == [0, None, None]
    assert figures["mean_of_bins"] is None


def test_angle_errors_are_prediction_minus_truth_and_geodesic_matches(
    truth: GroundTruth,
) -> None:
    frontal = replace(truth, angles=np.zeros((COUNT, 3)))
    turned = [replace(one, rotation=rotation_from_euler(np.radians(12), 0.0, 0.0)) for one in perfect(truth)]
    errors = measure(frontal, turned)
    assert errors.angles == pytest.approx(np.tile([12.0, 0.0, 0.0], (COUNT, 1)), abs=1e-9)
    assert errors.geodesic == pytest.approx(np.full(COUNT, 12.0))


def test_angle_errors_wrap_around_at_180_degrees(truth: GroundTruth) -> None:
    rolled = replace(truth, angles=np.radians([[0.0, 0.0, 179.0]] * COUNT))
    predictions = [replace(one, rotation=rotation_from_euler(0, 0, np.radians(-179))) for one in perfect(truth)]
    assert measure(rolled, predictions).angles[:, 2] == pytest.approx(np.full(COUNT, 2.0))


def test_faces_beyond_99_degrees_are_excluded_from_the_pose_only(truth: GroundTruth) -> None:
    angles = truth.angles.copy()
    angles[:3] = np.radians([[0, 0, 99.5], [0, -99.5, 0], [0, 0, 98.5]])
    predictions = perfect(truth)
    result = summarize(truth, predictions, measure(replace(truth, angles=angles), predictions), basel=True)
    assert (result["pose_images"], result["pose_excluded"]) == (COUNT - 3, 3)  # the sixth has a yaw of 100 degrees
    assert result["found"] == COUNT


@pytest.mark.parametrize("position", [(0.0, 0.0, 0.5), (0.2, -0.1, 0.6)])
def test_apparent_rotation_is_relative_to_the_viewing_ray(position: tuple[float, ...]) -> None:
    pose = Pose(rotation_from_euler(0.4, -0.2, 0.1), np.array(position), metric=True)
    seen = apparent_rotation(weak_perspective(pose, pinhole_camera(450, 450, 63.0)))
    assert seen == pytest.approx(rotation_to_axis(pose.position) @ pose.rotation)


def test_mirrored_points_agree_with_the_mirror_of_the_face_model() -> None:
    model = open_face_model("open")
    assert (model.mirror[model.landmarks68] == model.landmarks68[MIRRORED]).all()


def test_expression_r2_is_weighted_by_variance(truth: GroundTruth) -> None:
    means = truth.expression[:, :10].mean(axis=0)
    guessed = [replace(prediction, expression=means) for prediction in perfect(truth)]
    assert expression_r2(truth, guessed) == {"all": pytest.approx(0), "by_coefficient": [pytest.approx(0)] * 10}


def test_wrong_number_of_predictions_is_rejected(truth: GroundTruth) -> None:
    with pytest.raises(ValueError, match="expected 6 predictions, one per image, got 5"):
        measure(truth, perfect(truth)[:-1])


@pytest.mark.skipif(not REAL.is_dir(), reason="the photographs of AFLW2000-3D are not here; they are not shipped")
def test_published_network_reproduces_its_published_errors() -> None:
    """The output of the original implementation on 400 of the images, by its own script's rules."""
    dataset = open_dataset(REAL)
    with np.load(REAL / "ground_truth.npz") as arrays:
        points, parameters = arrays["mb05_pts68"][:, :2].transpose(0, 2, 1), arrays["mb05_params"]
    rows = zip(points, parameters, strict=True)
    predictions = [Prediction(p, apparent_rotation(q[:12].reshape(3, 4)), q[52:]) for p, q in rows]
    result = summarize(dataset.truth, predictions, measure(dataset.truth, predictions), basel=True)
    original, reannotated = result["nme"]["original"], result["nme"]["reannotated"]
    assert original["bins"] == pytest.approx([2.972, 3.629, 4.614], abs=5e-4)
    assert original["mean_of_bins"] == pytest.approx(3.738, abs=5e-4)
    assert reannotated["bins"] == pytest.approx([2.129, 2.509, 3.807], abs=5e-4)
    assert result["pose_mae_deg"]["mean"] == pytest.approx(4.236, abs=5e-4)
    assert (result["pose_images"], result["pose_excluded"]) == (393, 7)
