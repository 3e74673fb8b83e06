"""The TDDFA fitter with networks of constant output: conversion, confidence, and invalid settings."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tddfa_networks import (
    CAMERA,
    CROP,
    EXPRESSIONS,
    ORIGIN,
    SHAPES,
    SIZE,
    UNIT,
    bundle_with_output,
    crop_numbers,
    fit_of,
    frame_of,
    frontal,
    track,
)

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.geometry import (
    crop_from_landmarks,
    default_camera,
    euler_angles,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
    weak_perspective_pixels,
)
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Camera, Pose, Roi
from face_expr_ros.evaluation.aflw2000 import MIRRORED
from face_expr_ros.models.bundle import Bundle, open_face_model
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.fitting.fused import FusedFitter
from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.perception.fitting.tddfa import TddfaFitter
from face_expr_ros.perception.fitting.tddfa_parameters import confidence_from, distortion, in_image


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


@given(
    x=st.floats(-50, 600), y=st.floats(-50, 400), side=st.floats(20, 500), yaw=st.floats(-1.4, 1.4),
    pitch=st.floats(-0.6, 0.6), z=st.floats(0.3, 3.0),
)  # fmt: skip
def test_crop_parameters_are_converted_to_the_whole_image(
    x: float, y: float, side: float, yaw: float, pitch: float, z: float
) -> None:
    pose = Pose(rotation_from_euler(yaw, pitch, 0.1), np.array([0.1, -0.05, z]), metric=True)
    matrix, crop = weak_perspective(pose, CAMERA), Roi(x, y, side, side)
    found = in_image(crop_numbers(matrix, crop, CAMERA.height)[None], [crop], SIZE, CAMERA.height, UNIT, ORIGIN)[0]
    assert found == pytest.approx(matrix, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("lens", [[], [-0.2, 0.05, 0.001, -0.001]])
@pytest.mark.parametrize("yaw", [-80, -30, 0, 50])
def test_pose_points_and_coefficients_match_the_network_output(
    tmp_path: Path, model: MorphableModel, yaw: float, lens: list[float]
) -> None:
    camera = Camera(640, 480, CAMERA.matrix, np.array(lens), metric=True)
    pose = Pose(rotation_from_euler(math.radians(yaw), -0.2, 0.1), np.array([0.12, 0.08, 0.7]), metric=True)
    rng = np.random.default_rng(2)
    shape, expression = rng.normal(size=SHAPES), rng.uniform(size=EXPRESSIONS) * 0.3
    numbers = crop_numbers(weak_perspective(pose, camera), CROP, camera.height)
    fit = fit_of(bundle_with_output(tmp_path, model, np.concatenate([numbers, shape, expression])), camera=camera)
    assert fit.pose.position == pytest.approx(pose.position, rel=1e-4, abs=1e-5)
    assert np.degrees(euler_angles(fit.pose.rotation)) == pytest.approx(
        np.degrees(euler_angles(pose.rotation)), abs=0.01
    )
    assert fit.shape == pytest.approx(shape, abs=1e-4)
    assert fit.expression == pytest.approx(expression, abs=1e-4)
    assert fit.weak_perspective == pytest.approx(weak_perspective(fit.pose, camera), rel=1e-3, abs=0.05)
    points = model.ibug_points(model.vertices(shape, expression), apparent_turn(fit.weak_perspective))
    assert fit.landmarks68 == pytest.approx(weak_perspective_pixels(fit.weak_perspective, points, 480), abs=0.01)
    # Weak and full perspective differ by the depth of the face relative to its distance.
    assert np.abs(fit.landmarks68[:, :2] - project(to_camera(points, pose), camera)).mean() < 12.0  # pixels
    assert fit.confidence == pytest.approx(1.0, abs=1e-3)


def test_an_assumed_camera_gives_a_pose_that_is_not_metric(tmp_path: Path, model: MorphableModel) -> None:
    camera = default_camera(640, 480, 63.0)
    fit = fit_of(bundle_with_output(tmp_path, model, frontal(camera)), camera=camera)
    assert not fit.pose.metric


@pytest.mark.parametrize(("logit", "confidence"), [(-800.0, 0.0), (0.0, 0.5), (2.0, 0.881), (800.0, 1.0)])
def test_the_face_logit_defines_the_confidence(
    tmp_path: Path, model: MorphableModel, logit: float, confidence: float
) -> None:
    fit = fit_of(bundle_with_output(tmp_path, model, frontal(), logit))
    assert fit.confidence == pytest.approx(confidence, abs=1e-3)


def test_a_batch_of_crops_gives_the_fits_of_single_crops(tmp_path: Path, model: MorphableModel) -> None:
    fitter = TddfaFitter(FittingConfig(), bundle_with_output(tmp_path, model, frontal(), shade=1e-3))
    frame = frame_of(image=np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    crops = [CROP, Roi(0.0, 0.0, 90.0, 90.0), Roi(math.nan, 0.0, 10.0, 10.0), Roi(500.0, 300.0, 300.0, 300.0)]
    together = fitter(frame, [track(crop) for crop in crops])
    for crop, fit in zip(crops, together, strict=True):
        (alone,) = fitter(frame, [track(crop)])
        assert fit.landmarks68 == pytest.approx(alone.landmarks68, abs=1e-3)  # pixels
    assert [fit.confidence > 0.5 for fit in together] == [True, True, False, True]
    assert fitter(frame, []) == []


def test_a_fresh_crop_is_refined_in_a_second_run(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_with_output(tmp_path, model, frontal())  # at the same position in every crop
    first, second = fit_of(bundle), fit_of(bundle, fresh=True)
    recentered = fit_of(bundle, crop_from_landmarks(first.landmarks68))
    assert second.landmarks68 == pytest.approx(recentered.landmarks68)
    assert np.abs(second.landmarks68 - first.landmarks68).max() > 1.0  # pixels


def test_a_fit_does_not_depend_on_earlier_frames(tmp_path: Path, model: MorphableModel) -> None:
    fitter = TddfaFitter(FittingConfig(), bundle_with_output(tmp_path, model, frontal(), shade=1e-3))
    rng = np.random.default_rng(0)
    frames = [frame_of(image=rng.integers(0, 255, (480, 640, 3), np.uint8)) for _ in range(2)]
    alone = fitter(frames[1], [track()])[0].landmarks68
    fitter.reset()
    fitter(frames[0], [track()])
    assert (fitter(frames[1], [track()])[0].landmarks68 == alone).all()
    assert (fitter.expression_gain() == np.ones(EXPRESSIONS)).all()


def test_scaled_rotations_have_confidence_1_and_mirrors_0() -> None:
    rotation = rotation_from_euler(0.4, -0.2, 0.1)
    off = distortion(np.array([4e-4 * rotation, rotation @ np.diag([1.0, 1.0, -1.0]), np.zeros((3, 3))]))
    assert off == pytest.approx([0.0, math.inf, math.inf], abs=1e-9)
    assert confidence_from(off) == pytest.approx([1.0, 0.0, 0.0])


@pytest.mark.parametrize(("stretch", "low", "high"), [(1.05, 0.8, 0.95), (1.116, 0.45, 0.55), (1.5, 0.0, 0.01)])
def test_confidence_decreases_with_distortion(stretch: float, low: float, high: float) -> None:
    matrix = rotation_from_euler(0.4, -0.2, 0.1) @ np.diag([1.0, stretch, 1.0])
    assert low < confidence_from(distortion(matrix[None]))[0] < high


def test_an_invalid_or_missing_network_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(BundleError, match=r"net\.onnx' cannot be opened"):
        OnnxNetwork(tmp_path / "net.onnx", ["input"])
    with pytest.raises(BundleError, match=r"absent\.onnx' cannot be opened"):
        OnnxNetwork(tmp_path / "absent.onnx", ["input"])


def test_a_missing_network_input_is_named_in_the_error(tmp_path: Path, model: MorphableModel) -> None:
    bundle_with_output(tmp_path, model, frontal())
    with pytest.raises(BundleError, match=r"net\.onnx: expected the input 'image', got 'input'"):
        OnnxNetwork(tmp_path / "net.onnx", ["image"])


def test_more_threads_give_the_same_result(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_with_output(tmp_path, model, frontal())
    fits = [TddfaFitter(FittingConfig(threads=n), bundle)(frame_of(), [track()])[0] for n in (1, 2)]
    assert fits[0].landmarks68 == pytest.approx(fits[1].landmarks68)


def test_tddfa_requires_a_network_in_the_bundle(model: MorphableModel) -> None:
    with pytest.raises(ConfigError, match="got 'mine', which has none"):
        open_fitter(FittingConfig(backend="tddfa"), Bundle("mine", False, model, None, None))


def test_auto_selects_the_fitter_by_the_parts_of_the_bundle(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_with_output(tmp_path, model, frontal())
    without = replace(bundle, model=replace(model, facemesh_triangle=np.zeros(0, np.int32)))
    assert isinstance(open_fitter(FittingConfig(), bundle), FusedFitter)
    assert isinstance(open_fitter(FittingConfig(), replace(bundle, network=None)), LeastSquaresFitter)
    assert isinstance(open_fitter(FittingConfig(), without), TddfaFitter)
    with pytest.raises(ConfigError, match=r"set fitting\.backend to tddfa or auto"):
        open_fitter(FittingConfig(backend="least_squares"), without)


def test_a_mirrored_crop_gives_the_mirrored_face(tmp_path: Path, model: MorphableModel) -> None:
    bundle = bundle_with_output(tmp_path, model, frontal(), logit=2.0)
    assert bundle.network is not None
    whole = replace(bundle, network=replace(bundle.network, mirror=True))
    # The same answer for both crops: what is left of it is symmetric about the middle of the crop.
    (fit,) = TddfaFitter(FittingConfig(), whole)(frame_of(), [track()])
    middle = CROP.x + (CROP.width - 1) / 2
    mirrored = fit.landmarks68[MIRRORED] * [-1, 1, 1] + [2 * middle, 0, 0]
    np.testing.assert_allclose(
        mirrored[:, :2], fit.landmarks68[:, :2], atol=3.0
    )  # pixels; ORIGIN is 1 mm off the middle
    assert fit.confidence == pytest.approx(0.881, abs=1e-3)
