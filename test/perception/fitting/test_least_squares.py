"""The landmark fit on exact landmarks of known pose, shape and expression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import (
    crop_from_landmarks,
    default_camera,
    euler_angles,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
)
from face_expr_ros.core.lens import magnification
from face_expr_ros.core.types import Camera, FaceFit, FloatArray, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.kernels.unit_box import solve_unit_box
from face_expr_ros.models.bundle import Bundle, open_face_model
from face_expr_ros.perception.fitting import Fitter, open_fitter
from face_expr_ros.perception.fitting.priors import counterparts

CAMERA = pinhole_camera(1280, 720, field_of_view=45.0)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return open_face_model("open")


def seen(
    model: MorphableModel, pose: Pose, shape: FloatArray, expression: FloatArray, camera: Camera = CAMERA
) -> Track:
    """The track of a perfect landmark detector, whose depths are along the ray to the face."""
    points = to_camera(model.facemesh_points(model.vertices(shape, expression)), pose)
    ray = points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
    scale = camera.matrix[0, 0] * magnification(pose.position[None, :2] / pose.position[2], camera)[0]
    depth = ((points - points.mean(axis=0)) @ ray) * scale / pose.position[2]
    landmarks = np.column_stack([project(points, camera), depth]).astype(np.float32)
    return Track("f1", crop_from_landmarks(landmarks), Landmarks(landmarks, 1.0), fresh=False)


def fitter_of(model: MorphableModel) -> Fitter:
    return open_fitter(FittingConfig(backend="least_squares"), Bundle("open", False, model, None, None))


def frame_of(camera: Camera) -> Frame:
    return Frame(np.zeros((camera.height, camera.width, 3), np.uint8), 0, "camera_optical_frame", camera)


def fit(model: MorphableModel, *tracks: Track, camera: Camera = CAMERA) -> FaceFit:
    fitter = fitter_of(model)
    return [fitter(frame_of(camera), [track])[0] for track in tracks][-1]


def blendshape(model: MorphableModel, **values: float) -> FloatArray:
    return np.array([values.get(name, 0.0) for name in model.expression_names])


@pytest.mark.parametrize("yaw", [-60, -20, 0, 40, 75])
@pytest.mark.parametrize("pitch", [-30, 0, 25])
def test_the_pose_of_the_mean_face_is_estimated(model: MorphableModel, yaw: float, pitch: float) -> None:
    angles = np.radians([yaw, pitch, 10.0])
    pose = Pose(rotation_from_euler(*angles), np.array([0.05, -0.03, 0.7]), metric=True)
    found = fit(model, seen(model, pose, np.zeros(40), np.zeros(52))).pose
    assert np.degrees(euler_angles(found.rotation)) == pytest.approx(np.degrees(angles), abs=1.0)  # degrees
    assert found.position == pytest.approx(pose.position, rel=0.02, abs=0.001)


def test_pose_and_distance_of_random_faces_are_estimated(model: MorphableModel) -> None:
    rng = np.random.default_rng(3)
    angle_errors, distance_errors = [], []
    for _ in range(40):
        angles = rng.uniform(-0.6, 0.6, 3)
        pose = Pose(rotation_from_euler(*angles), np.array([0.0, 0.0, rng.uniform(0.4, 1.2)]), metric=True)
        expression = np.where(rng.random(52) < 0.1, rng.random(52), 0.0)
        found = fit(model, seen(model, pose, rng.normal(size=40), expression)).pose
        angle_errors.append(np.degrees(np.abs(np.subtract(euler_angles(found.rotation), angles))))
        distance_errors.append(abs(found.position[2] / pose.position[2] - 1))
    assert (np.mean(angle_errors, axis=0) < 1.0).all()  # degrees
    assert np.mean(distance_errors) < 0.07  # of the distance, which is ambiguous with the size of the head


def read(model: MorphableModel, **values: float) -> dict[str, float]:
    """The blendshapes estimated for a frontal face with these blendshapes."""
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    gain = fitter_of(model).expression_gain()
    expression = gain * fit(model, seen(model, pose, np.zeros(40), blendshape(model, **values))).expression
    return dict(zip(model.expression_names, expression.tolist(), strict=True))


@pytest.mark.parametrize(
    "names",
    [("jawOpen",), ("eyeBlinkLeft", "eyeBlinkRight"), ("mouthSmileLeft", "mouthSmileRight"), ("mouthFunnel",)],
)
def test_a_single_blendshape_is_estimated_above_all_others(model: MorphableModel, names: tuple[str, ...]) -> None:
    found = read(model, **dict.fromkeys(names, 0.7))
    for name in names:
        assert found[name] == pytest.approx(0.7, abs=0.1)
        assert found[name] > max(value for other, value in found.items() if other not in names)


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_wink_closes_only_one_eye(model: MorphableModel, side: str) -> None:
    other = {"Left": "Right", "Right": "Left"}[side]
    found = read(model, **{f"eyeBlink{side}": 1.0})
    assert found[f"eyeBlink{side}"] > 0.6
    assert found[f"eyeBlink{other}"] < 0.25


def test_blendshapes_have_their_counterparts_on_the_other_side(model: MorphableModel) -> None:
    names = model.expression_names
    pairs = {names[index]: names[other] for index, other in enumerate(counterparts(names))}
    assert pairs["mouthSmileLeft"] == "mouthSmileRight"
    assert pairs["eyeLookInRight"] == "eyeLookOutLeft"
    assert [pairs[name] for name in ("jawOpen", "jawLeft", "mouthRight")] == ["jawOpen", "jawLeft", "mouthRight"]
    assert all(pairs[pairs[name]] == name for name in names)


def test_the_gain_is_between_1_and_2_and_1_for_the_tongue(model: MorphableModel) -> None:
    gain = fitter_of(model).expression_gain()
    assert gain.min() >= 1.0
    assert gain.max() <= 2.0
    assert gain[model.expression_names.index("tongueOut")] == 1.0


def test_expression_coefficients_are_within_their_bounds(model: MorphableModel) -> None:
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    beyond = blendshape(model, jawOpen=1.6, mouthPucker=-0.5)
    expression = fit(model, seen(model, pose, np.zeros(40), beyond)).expression
    assert expression.min() >= 0.0
    assert expression.max() <= 1.0
    assert expression[model.expression_names.index("jawOpen")] == pytest.approx(1.0)


def test_the_shape_converges_over_frames_of_one_person(model: MorphableModel) -> None:
    rng = np.random.default_rng(5)
    shape = rng.normal(size=40)
    fitter = fitter_of(model)
    jumps = []
    last = None
    for _ in range(60):
        pose = Pose(rotation_from_euler(*rng.uniform(-0.4, 0.4, 3)), np.array([0.0, 0.0, 0.6]), metric=True)
        track = seen(model, pose, shape, np.where(rng.random(52) < 0.1, rng.random(52), 0.0))
        assert track.landmarks is not None
        noisy = track.landmarks.points + rng.normal(0, 0.5, (478, 3)).astype(np.float32)
        found = fitter(frame_of(CAMERA), [replace(track, landmarks=Landmarks(noisy, 1.0))])[0].shape
        if last is not None:
            jumps.append(np.abs(found - last).mean())
        last = found
    assert np.mean(jumps[-10:]) < 0.5 * np.mean(jumps[:3])


def test_without_landmarks_the_confidence_is_0(model: MorphableModel) -> None:
    found = fit(model, Track("f1", Roi(400, 100, 200, 200), None, fresh=False))
    assert found.confidence == 0.0
    assert found.landmarks68[:, :2].mean(axis=0) == pytest.approx([500, 200], abs=50)  # pixels


@pytest.mark.parametrize("spread", [0.0, 1e-7, np.nan])
def test_degenerate_landmarks_have_confidence_0(model: MorphableModel, spread: float) -> None:
    points = np.random.default_rng(0).normal(300, spread, (478, 3)).astype(np.float32)
    found = fit(model, Track("f1", Roi(200, 200, 200, 200), Landmarks(points, 1.0), fresh=False))
    assert found.confidence == 0.0
    assert np.isfinite(found.landmarks68).all()


def test_68_points_and_weak_perspective_match_the_projection(model: MorphableModel) -> None:
    pose = Pose(rotation_from_euler(0.3, 0.1, 0.1), np.array([0.1, 0.05, 0.7]), metric=True)
    found = fit(model, seen(model, pose, np.zeros(40), np.zeros(52)))
    points = model.ibug_points(model.mean, np.sin(0.3))
    assert found.landmarks68[:, :2] == pytest.approx(project(to_camera(points, pose), CAMERA), abs=2.0)  # pixels
    x, y, z = found.weak_perspective @ np.column_stack([points, np.ones(68)]).T
    weak = np.column_stack([x - 1, CAMERA.height - y, -z])
    assert np.abs(found.landmarks68 - weak).max() < 16.0  # pixels: the perspective of a head of 220 pixels


def test_lens_distortion_does_not_change_the_pose(model: MorphableModel) -> None:
    camera = Camera(1280, 720, CAMERA.matrix, np.array([-0.25, 0.08, 0.001, 0.0]), metric=True)
    angles = (0.3, -0.2, 0.1)
    pose = Pose(rotation_from_euler(*angles), np.array([0.15, 0.08, 0.6]), metric=True)
    found = fit(model, seen(model, pose, np.zeros(40), np.zeros(52), camera), camera=camera).pose
    assert np.degrees(euler_angles(found.rotation)) == pytest.approx(np.degrees(angles), abs=0.8)


def test_a_fisheye_gives_the_same_pose_as_a_pinhole_far_from_the_axis(model: MorphableModel) -> None:
    matrix = np.array([[420.0, 0.0, 639.5], [0.0, 420.0, 359.5], [0.0, 0.0, 1.0]])
    camera = Camera(1280, 720, matrix, np.array([0.02, -0.01, 0.002, 0.0]), metric=True, lens="fisheye")
    pose = Pose(rotation_from_euler(-0.6, 0.1, 0.1), np.array([0.5, 0.1, 0.5]), metric=True)  # 45 degrees off the axis
    found = fit(model, seen(model, pose, np.zeros(40), np.zeros(52), camera), camera=camera).pose
    assert np.degrees(euler_angles(found.rotation)) == pytest.approx(np.degrees((-0.6, 0.1, 0.1)), abs=2.0)
    assert found.position == pytest.approx(pose.position, rel=0.05)


def test_an_assumed_camera_gives_a_pose_that_is_not_metric(model: MorphableModel) -> None:
    camera = default_camera(1280, 720, 63.0)
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.6]), metric=False)
    assert not fit(model, seen(model, pose, np.zeros(40), np.zeros(52), camera), camera=camera).pose.metric


def test_the_fit_is_deterministic(model: MorphableModel) -> None:
    pose = Pose(rotation_from_euler(0.1, 0.1, 0.1), np.array([0.0, 0.0, 0.6]), metric=True)
    track = seen(model, pose, np.zeros(40), blendshape(model, mouthSmileLeft=0.5))
    first, second = fit(model, track), fit(model, track)
    assert (first.expression == second.expression).all()
    assert (first.pose.rotation == second.pose.rotation).all()


def random_problem(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    columns = rng.normal(size=(size + 10, size)) * rng.uniform(0.1, 3.0, size)
    return columns, rng.normal(size=size + 10) * 2.0


@pytest.mark.parametrize("seed", range(20))
def test_the_bounded_solution_matches_scipy(seed: int) -> None:
    columns, target = random_problem(np.random.default_rng(seed), 52)
    expected = lsq_linear(columns, target, (0.0, 1.0), method="bvls", tol=1e-14).x
    assert solve_unit_box(columns.T @ columns, columns.T @ target) == pytest.approx(expected, abs=1e-4)


def test_a_singular_problem_raises() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="the problem is not determined"):
        solve_unit_box(np.zeros((3, 3)), np.ones(3))


def held(model: MorphableModel, seconds: float, noise: float = 0.0, **values: float) -> FloatArray:
    """(frames, 52) what is read, at 30 images a second, from one person who holds an expression."""
    rng, fitter = np.random.default_rng(5), fitter_of(model)
    pose = Pose(rotation_from_euler(0.1, 0.05, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    track = seen(model, pose, 0.8 * rng.normal(size=40), blendshape(model, **values))
    assert track.landmarks is not None
    points, read = track.landmarks.points, []
    for _ in range(round(30 * seconds)):
        shown = points + noise * rng.normal(size=points.shape).astype(np.float32)
        fits = fitter(frame_of(CAMERA), [replace(track, landmarks=Landmarks(shown, 1.0))])
        read.append(fits[0].expression)
    return np.array(read)


@pytest.mark.parametrize("values", [{"mouthPucker": 0.7}, {"mouthFrownLeft": 0.6, "mouthFrownRight": 0.6}])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_held_expression_does_not_fade(model: MorphableModel, values: dict[str, float], noise: float) -> None:
    read = held(model, 60.0, noise, **values)[:, [model.expression_names.index(name) for name in values]]
    start, end = read[:30].mean(axis=0), read[-30:].mean(axis=0)
    assert start.min() > 0.1
    np.testing.assert_allclose(end, start, rtol=0.05)
