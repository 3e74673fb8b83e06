"""The fused fitter of the open bundle, on rendered heads of known pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import (
    crop_from_landmarks,
    euler_angles,
    pinhole_camera,
    pixels_with_depth,
    project,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.types import FaceFit, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.models.bundle import Bundle, open_bundle
from face_expr_ros.perception.fitting import backend_name, open_fitter
from face_expr_ros.perception.fitting.fused import FusedFitter, confirmed, facemesh_weight
from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.perception.fitting.tddfa import TddfaFitter
from face_expr_ros.sources.source_frame import Truth
from face_expr_ros.sources.synthetic import random_frame

CAMERA = pinhole_camera(640, 480, field_of_view=45.0)
YAW_BOUND, NME_BOUND = 12.0, 8.0  # degrees; percent of the size of the 68 points' box
CONFIDENT, DOUBTFUL = 0.8, 0.5


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("open")


@pytest.fixture
def fitter(bundle: Bundle) -> FusedFitter:
    return FusedFitter(FittingConfig(), bundle)


def head_at(bundle: Bundle, yaw: float, seed: int = 3) -> tuple[Frame, Truth]:
    """A rendered head at a distance of 0.5 m; yaw in degrees."""
    shape = np.zeros(len(bundle.model.identity))
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.05, 0.0), np.array([0.02, 0.0, 0.5]), metric=True)
    truth = Truth(pose, shape, np.zeros(len(bundle.model.expression)))
    return random_frame(bundle.model, CAMERA, np.random.default_rng(seed), truth)


def true_points68(bundle: Bundle, truth: Truth) -> np.ndarray:
    vertices = bundle.model.vertices(truth.shape, truth.expression)
    return project(to_camera(vertices[bundle.model.landmarks68], truth.pose), CAMERA)


def exact_landmarks(bundle: Bundle, truth: Truth) -> Landmarks:
    points = bundle.model.facemesh_points(bundle.model.vertices(truth.shape, truth.expression))
    seen = pixels_with_depth(to_camera(points, truth.pose), truth.pose, CAMERA)
    return Landmarks(seen.astype(np.float32), 1.0)


LANDMARKS = Landmarks(np.zeros((478, 3), np.float32), 1.0)


def track_with(landmarks: Landmarks | None) -> Track:
    return Track("f1", Roi(0.0, 0.0, 100.0, 100.0), landmarks, fresh=False)


def guess_at(yaw: float, confidence: float) -> FaceFit:
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.1, 0.2), np.array([0.0, 0.0, 0.5]), metric=True)
    nothing = np.zeros(0)
    return FaceFit(pose, nothing, nothing, 0.0, np.zeros((68, 3)), weak_perspective(pose, CAMERA), confidence)


@pytest.mark.parametrize(
    ("yaw", "confidence", "trust"),
    [(0, 0.9, 1.0), (19, 0.9, 1.0), (45, 0.9, 0.5), (-45, 0.9, 0.5), (71, 0.9, 0.0), (80, 0.4, 1.0)],
)
def test_the_weight_of_facemesh_decreases_with_yaw(yaw: float, confidence: float, trust: float) -> None:
    assert facemesh_weight(track_with(LANDMARKS), guess_at(yaw, confidence)) == pytest.approx(trust, abs=0.05)


def test_the_weight_of_facemesh_is_0_without_landmarks() -> None:
    assert facemesh_weight(track_with(None), guess_at(0.0, 0.9)) == 0.0


def test_a_head_with_a_large_roll_is_fitted_to_facemesh_alone() -> None:
    lying = replace(track_with(LANDMARKS), roll=np.radians(80.0))
    assert facemesh_weight(lying, guess_at(76, 0.9)) == 1.0


@pytest.mark.parametrize(
    ("residual", "network", "confidence"), [(0.004, 0.95, 0.95), (0.004, 0.5, 0.7), (0.009, 0.95, 0.7)]
)
def test_two_networks_that_agree_confirm_a_face(residual: float, network: float, confidence: float) -> None:
    fit = replace(guess_at(50.0, 0.7), residual=residual)
    assert confirmed(fit, LANDMARKS, guess_at(50.0, network)).confidence == pytest.approx(confidence)
    assert confirmed(fit, None, guess_at(50.0, network)).confidence == 0.7
    assert confirmed(fit, LANDMARKS, None).confidence == 0.7


def test_auto_selects_the_fused_fitter_for_the_open_bundle(bundle: Bundle) -> None:
    assert backend_name(FittingConfig(), bundle) == "fused"
    assert isinstance(open_fitter(FittingConfig(), bundle), FusedFitter)


def test_a_frontal_face_is_fitted_to_facemesh_alone(bundle: Bundle, fitter: FusedFitter) -> None:
    frame, truth = head_at(bundle, yaw=5.0)
    track = Track("f1", crop_from_landmarks(true_points68(bundle, truth)), exact_landmarks(bundle, truth), False)
    fused, alone = fitter(frame, [track])[0], LeastSquaresFitter(FittingConfig(), bundle)(frame, [track])[0]
    np.testing.assert_array_equal(fused.landmarks68, alone.landmarks68)
    np.testing.assert_array_equal(fused.expression, alone.expression)


@pytest.fixture
def network_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The ids of the faces that the network fits, frame by frame."""
    calls: list[list[str]] = []
    call = TddfaFitter.__call__

    def recorded(self: TddfaFitter, frame: Frame, tracks: list[Track]) -> list[FaceFit]:
        calls.append([track.id for track in tracks])
        return call(self, frame, tracks)

    monkeypatch.setattr(TddfaFitter, "__call__", recorded)
    return calls


def frames_of(bundle: Bundle, fitter: FusedFitter, yaw: float, milliseconds: list[int], **changes: object) -> None:
    """Fit a head with exact landmarks at these times; ``changes`` are applied to its track."""
    frame, truth = head_at(bundle, yaw)
    track = Track("f1", crop_from_landmarks(true_points68(bundle, truth)), exact_landmarks(bundle, truth), False)
    for time in milliseconds:
        fitter(replace(frame, stamp_ns=time * 1_000_000), [replace(track, **changes)])


def test_the_network_fits_a_frontal_face_five_times_a_second(
    bundle: Bundle, fitter: FusedFitter, network_calls: list[list[str]]
) -> None:
    frames_of(bundle, fitter, 5.0, [0, 33, 67, 100, 199, 200, 233, 500])
    assert network_calls == [["f1"], [], [], [], [], ["f1"], [], ["f1"]]


@pytest.mark.parametrize(
    ("yaw", "changes"), [(40.0, {}), (-60.0, {}), (5.0, {"landmarks": None}), (5.0, {"fresh": True})]
)
def test_the_network_fits_rotated_and_new_faces_in_every_frame(
    bundle: Bundle, fitter: FusedFitter, network_calls: list[list[str]], yaw: float, changes: dict[str, object]
) -> None:
    frames_of(bundle, fitter, yaw, [0, 33, 67], **changes)
    assert network_calls == [["f1"]] * 3


def test_the_network_fits_in_every_frame_until_it_is_confident(
    bundle: Bundle, fitter: FusedFitter, network_calls: list[list[str]]
) -> None:
    frames_of(bundle, fitter, 5.0, [0, 33, 67], crop=Roi(-500.0, -500.0, 100.0, 100.0))
    assert network_calls == [["f1"]] * 3


def test_a_reset_or_an_earlier_stamp_restarts_the_interval(
    bundle: Bundle, fitter: FusedFitter, network_calls: list[list[str]]
) -> None:
    frames_of(bundle, fitter, 5.0, [100, 50])
    fitter.reset()
    frames_of(bundle, fitter, 5.0, [60, 70])
    assert network_calls == [["f1"], ["f1"], ["f1"], []]


def test_between_network_fits_only_landmarks_are_used(bundle: Bundle, fitter: FusedFitter) -> None:
    frame, truth = head_at(bundle, yaw=5.0)
    track = Track("f1", crop_from_landmarks(true_points68(bundle, truth)), exact_landmarks(bundle, truth), False)
    alone = LeastSquaresFitter(FittingConfig(), bundle)
    for time in (0, 33_333_333):
        shown = replace(frame, stamp_ns=time)
        np.testing.assert_array_equal(fitter(shown, [track])[0].expression, alone(shown, [track])[0].expression)


@pytest.mark.parametrize("yaw", [-80.0, -60.0, 60.0, 80.0])
def test_a_head_in_profile_is_fitted_without_facemesh(bundle: Bundle, fitter: FusedFitter, yaw: float) -> None:
    frame, truth = head_at(bundle, yaw)
    points = true_points68(bundle, truth)
    fit = fitter(frame, [Track("f1", crop_from_landmarks(points), None, False)])[0]
    assert np.degrees(euler_angles(fit.pose.rotation)[0]) == pytest.approx(yaw, abs=YAW_BOUND)
    size = np.sqrt(np.prod(np.ptp(points, axis=0)))
    assert np.linalg.norm(fit.landmarks68[:, :2] - points, axis=1).mean() / size * 100 < NME_BOUND
    assert fit.confidence > CONFIDENT
    assert ((fit.expression >= 0) & (fit.expression <= 1)).all()


def no_face(frame: Frame) -> Roi:
    return Roi(0.0, 0.0, 90.0, 90.0)


def outside(frame: Frame) -> Roi:
    return Roi(-500.0, -500.0, 100.0, 100.0)


@pytest.mark.parametrize("place", [no_face, outside])
def test_confidence_is_low_without_a_face(bundle: Bundle, fitter: FusedFitter, place: Callable[[Frame], Roi]) -> None:
    frame, _ = head_at(bundle, 0.0)
    assert fitter(frame, [Track("f1", place(frame), None, False)])[0].confidence < DOUBTFUL


def test_the_backend_tddfa_fits_the_open_bundle(bundle: Bundle) -> None:
    frame, truth = head_at(bundle, yaw=40.0)
    points = true_points68(bundle, truth)
    fit = TddfaFitter(FittingConfig(), bundle)(frame, [Track("f1", crop_from_landmarks(points), None, True)])[0]
    assert np.degrees(euler_angles(fit.pose.rotation)[0]) == pytest.approx(40.0, abs=YAW_BOUND)
    assert len(fit.shape) == len(bundle.model.identity)
    assert len(fit.expression) == len(bundle.model.expression)
