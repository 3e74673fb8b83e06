"""Expression evaluation: scores, baselines, invariance, the filter's delay and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros.cli import face_expr
from face_expr_ros.core.config import ExpressionConfig, PerceptionConfig, SmoothingConfig
from face_expr_ros.core.geometry import euler_angles, project, rotation_to_axis
from face_expr_ros.core.types import Blendshapes, FaceFit, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.evaluation.expression import baselines, synthetic
from face_expr_ros.evaluation.expression.baselines import Ridge, fit_ridge, open_ridge, write_ridge
from face_expr_ros.evaluation.expression.invariance import enlarged, pose_ratios, shifted
from face_expr_ros.evaluation.expression.readers import ordered_values, stage_reader
from face_expr_ros.evaluation.expression.report import result_lines, table, write_page
from face_expr_ros.evaluation.expression.scores import GROUPS, members, scores
from face_expr_ros.evaluation.expression.stillness import delay_frames
from face_expr_ros.evaluation.expression.synthetic import TARGET_CORRELATIONS, target_correlation, weaknesses
from face_expr_ros.evaluation.expression.synthetic_people import (
    CAMERA,
    MAX_YAW,
    SIDE,
    Observation,
    SyntheticPerson,
    random_pose,
)
from face_expr_ros.models import bundle
from face_expr_ros.models.bundle import BundleError, open_face_model
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.neutral import Neutrals

NAMES = open_face_model("open").expression_names
RNG = np.random.default_rng(3)


def observation(expression: np.ndarray | None = None, points: np.ndarray | None = None) -> Observation:
    """A face with an expression that its fit estimates exactly."""
    expression = np.zeros(len(NAMES)) if expression is None else expression
    landmarks = Landmarks(np.zeros((478, 3), np.float32) if points is None else points.astype(np.float32), 1.0)
    fit = FaceFit(
        Pose(np.eye(3), np.zeros(3), True), np.zeros(40), expression, 0.0, np.zeros((68, 3)), np.eye(3, 4), 1.0
    )
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    track = Track("f1", Roi(0, 0, 9, 9), landmarks, fresh=True)
    return Observation(Frame(image, 0, "camera", CAMERA), track, fit, expression)


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


def write_linear_shard(folder: Path, rng: np.random.Generator, people: int = 40, portraits: int = 12) -> np.ndarray:
    """Write portraits whose landmarks move linearly with jawOpen and differ between people; return the movement."""
    bump = rng.normal(0, 0.004, (478, 3))
    canonical = baselines._canonical()
    rows: dict[str, list[Any]] = {"landmarks": [], "expression": [], "person": []}
    for person in range(people):
        identity = rng.normal(0, 0.5) * bump
        for portrait in range(portraits):
            jaw = 0.0 if portrait < 2 else rng.uniform()
            points = (canonical + identity + jaw * bump) * [1000, -1000, -1000] + [200, 150, 0]
            rows["landmarks"].append(points.astype(np.float32))
            rows["expression"].append([jaw * (name == "jawOpen") for name in NAMES])
            rows["person"].append(person)
    (folder / "shard_00000").mkdir(parents=True)
    count = len(rows["person"])
    arrays = {
        "image": np.zeros((count, 4, 4), np.uint8),
        "landmarks": np.array(rows["landmarks"]),
        "expression": np.array(rows["expression"], np.float32),
        "angles": np.zeros((count, 2), np.float32),
        "person": np.array(rows["person"]),
    }
    for name, values in arrays.items():
        np.save(folder / "shard_00000" / f"{name}.npy", values)
    return bump


def test_ridge_needs_the_neutral_to_separate_identity_and_movement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "_STRENGTHS", (0.1,))
    rng = np.random.default_rng(8)
    bump = write_linear_shard(tmp_path, rng)
    ridge = fit_ridge(tmp_path)
    canonical, jaw = baselines._canonical(), NAMES.index("jawOpen")

    def face(amount: float) -> Observation:
        return observation(points=(canonical + amount * bump) * [900, -900, -900] + [240, 240, 0])

    known = ridge.read(face(0.4), [face(0.4), face(0.9)])[:, jaw]
    assert known == pytest.approx([0.0, 0.5], abs=0.05)
    assert abs(ridge.read(None, [face(0.4)])[0, jaw]) > 0.1  # identity and movement are ambiguous


def test_ridge_is_written_with_its_names_and_weights(tmp_path: Path) -> None:
    ridge = Ridge(NAMES, RNG.normal(size=(5, 52)), RNG.normal(size=(9, 52)))
    write_ridge(tmp_path / "r.npz", ridge)
    with np.load(tmp_path / "r.npz") as arrays:
        assert tuple(arrays["names"]) == NAMES
        assert arrays["with_rest"] == pytest.approx(ridge.with_neutral, abs=0.01)


def test_package_ridge_provides_all_names() -> None:
    ridge = open_ridge()
    assert ridge.names == NAMES
    points = baselines._canonical() * [900, -900, -900] + [240, 240, 0]
    values = ridge.read(observation(points=points), [observation(points=points)])
    assert values.shape == (1, 52)
    assert 0.0 <= values.min() <= values.max() <= 1.0


def test_damaged_ridge_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/expression_ridge.npz").write_bytes(b"PK nothing")
    monkeypatch.setattr(bundle, "resource_path", lambda name: tmp_path / name)
    with pytest.raises(BundleError, match="sha256"):
        open_ridge()


def test_folder_without_portraits_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected rendered portraits"):
        fit_ridge(tmp_path)


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


def random_result(names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """A result in the format of `evaluate_expression`, with random readers."""
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 1, (60, len(names)))

    def reader(noise: float) -> np.ndarray:
        return truth + rng.normal(0, noise, truth.shape)

    values = {"reader": reader(0.1), "reader_without_neutral": reader(0.3), "landmark_fit": reader(0.4)}
    values |= {"landmark_fit_without_neutral": reader(0.5), "ridge": reader(0.5), "ridge_without_neutral": reader(0.6)}
    values["ridge"][:, 0] = truth[:, 0]
    counts = {"people": 3, "frames": 69, "found": 60, "reader": "head"}
    return {
        "synthetic": {**counts, **synthetic._result(names, truth, values)},
        "invariance": {
            "shift": 1e-6,
            "scale": 2e-6,
            "pose_ratio": 0.1,
            "pose_ratio_pooled": 0.1,
            "pose_ratio_by_name": {},
        },
        "still_std_max": 0.008,
        "delay_frames": 0.7,
        "notes": ["Blinks are left out."],
    }


def test_result_has_the_documented_keys() -> None:
    result = json.loads(json.dumps(random_result()))
    assert isinstance(result["synthetic"]["mae"], float)
    assert set(result["synthetic"]["correlation"]) == set(NAMES)
    assert {"landmark_fit", "ridge", "mean"} <= set(result["synthetic"]["baselines"])
    assert result["synthetic"]["mean_correlation"] == pytest.approx(0.94, abs=0.04)


def test_weaknesses_list_names_with_a_better_baseline() -> None:
    weak = random_result()["synthetic"]["weak"]
    assert weak["not_better"]["ridge"] == [NAMES[0]]
    assert weak["not_better"]["mean"] == []
    assert not any(weak["groups_not_better"].values())


def test_weaknesses_list_names_below_their_target() -> None:
    own = {"correlation": {"jawOpen": 0.89, "mouthLeft": 0.95, "tongueOut": 0.0}, "groups": {}}
    assert weaknesses(own, {})["below_aim"] == {"jawOpen": 0.9}


def test_table_has_all_52_blendshapes_and_marks_weak_ones() -> None:
    text = table(random_result())
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {name for name in NAMES if any(row.startswith(f"| {name} ") for row in rows)} == set(NAMES)
    assert len({row.count("|") for row in rows}) == 1
    assert next(row for row in rows if row.startswith(f"| {NAMES[0]} ")).split("|")[1].strip().endswith("\u2020")
    assert f"Not better than ridge: {NAMES[0]}." in text


def test_terminal_lines_contain_every_figure() -> None:
    text = "\n".join(result_lines(random_result()))
    for word in (*NAMES, "pose_ratio", "still_std_max", "delay_frames", "Blinks are left out."):
        assert word in text


def test_page_is_one_self_contained_file(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", random_result())
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in text for name in NAMES)
    assert "data:image/png;base64," in text
    assert "pose_ratio" in text


@pytest.mark.parametrize("option", ["--task", "--videos", "--data"])
def test_nonexistent_path_is_a_usage_error(option: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="does not exist"):
        face_expr(["evaluate", "expression", option, str(tmp_path / "nothing")], standalone_mode=False)


@pytest.mark.slow
def test_synthetic_evaluation_of_one_person_is_plausible() -> None:
    result = synthetic.evaluate_synthetic(PerceptionConfig(), frames=24)
    assert result["people"] == 1
    assert result["found"] >= 20  # of 23
    assert result["correlation"]["jawOpen"] > 0.6
    assert result["baselines"]["ridge"]["correlation"]["jawOpen"] > 0.6
    assert result["mae"] < result["baselines"]["mean"]["mean"]["mae"] + 0.03
