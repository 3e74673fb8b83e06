"""The fusion's training: copies of portraits, losses, calibration, export, and a tiny run of all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from support.graded_faces import NAMES, STATE
from support.graded_faces import random_faces as faces

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.fused import INPUTS
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.expression.config import read_settings
from face_expr_ros.training.expression.graded import run
from face_expr_ros.training.expression.graded.augmentation import augmented, mirrored
from face_expr_ros.training.expression.graded.batches import Disturber, Sampler, rarity
from face_expr_ros.training.expression.graded.calibration import fit_curves
from face_expr_ros.training.expression.graded.config import FusionTraining
from face_expr_ros.training.expression.graded.edited import moved_grades, random_movement
from face_expr_ros.training.expression.graded.faces import (
    joined,
    mirrored_faces,
    mirrored_grades,
    read_chunks,
    write_chunk,
)
from face_expr_ros.training.expression.graded.loss import GradeWeights, PortraitLoss, RenderLoss, columns_of, pairs_of
from face_expr_ros.training.expression.graded.mixed import mixed
from face_expr_ros.training.expression.graded.network import FusionNetwork
from face_expr_ros.training.expression.graded.portraits import read_portraits
from face_expr_ros.training.expression.samples import MARGIN, mirror_of

ROOT = Path(__file__).parents[3]
PLACES = list(COLUMNS)


def network() -> FusionNetwork:
    torch.manual_seed(3)
    basis = torch.randn(FEATURES, 20) / 30
    return FusionNetwork(torch.zeros(FEATURES), basis, len(NAMES)).eval()


def test_the_settings_in_the_package_are_the_defaults() -> None:
    assert read_settings(FusionTraining, ROOT / "config/train_fusion.yaml") == FusionTraining()


def test_copies_say_where_their_pixels_come_from() -> None:
    image = np.zeros((200, 240, 3), np.uint8)
    cv2.circle(image, (150, 90), 6, (255, 255, 255), -1)
    for seed in range(8):
        copy, transform = augmented(image, np.random.default_rng(seed))
        x, y, _ = transform @ [150.0, 90.0, 1.0]
        gray = copy.astype(float).sum(axis=2)
        rows, columns = np.nonzero(gray > 0.7 * gray.max())
        assert abs(columns.mean() - x) < 2
        assert abs(rows.mean() - y) < 2
    assert np.linalg.det(mirrored(image)[1]) < 0


def test_grades_in_the_mirror_change_sides() -> None:
    grades = np.zeros((1, len(COLUMNS)), np.float32)
    grades[0, PLACES.index("blinkL")], grades[0, PLACES.index("gazeH")] = 3.0, 1.0
    turned = dict(zip(PLACES, mirrored_grades(grades)[0].tolist(), strict=True))
    assert (turned["blinkL"], turned["blinkR"], turned["gazeH"]) == (0.0, 3.0, -1.0)


def test_faces_mirrored_twice_are_themselves(canonical: FloatArray) -> None:
    some, mirror = faces(3), mirror_of(canonical, NAMES)
    again = mirrored_faces(mirrored_faces(some, mirror, graded=True), mirror, graded=True)
    for name in ("features", "patches", "fit", "head", "truth", "teacher"):
        np.testing.assert_allclose(getattr(again, name), getattr(some, name), atol=1e-6)


def test_faces_are_written_and_joined(tmp_path: Path) -> None:
    paths = [tmp_path / "faces.npz", tmp_path / "none.npz"]
    write_chunk(paths[0], [faces(2), faces(4)])
    write_chunk(paths[1], [])
    read = read_chunks(paths)
    assert read is not None
    np.testing.assert_array_equal(read.patches, joined([faces(2), faces(4)]).patches)
    assert read_chunks(paths[1:]) is None


def test_a_column_is_the_mean_of_its_blendshapes() -> None:
    columns = columns_of(NAMES)
    assert columns[NAMES.index("mouthSmileLeft"), PLACES.index("smile")] == 0.5
    assert columns[NAMES.index("eyeLookDownLeft"), PLACES.index("gazeV")] == -0.5
    left, right = pairs_of(NAMES)
    assert [NAMES[index].replace("Left", "Right") for index in left] == [NAMES[index] for index in right]
    assert not any(NAMES[index].startswith(("eyeLook", "eyeBlink", "jaw")) for index in left)


def test_unknown_grades_weigh_nothing_and_doubtful_ones_less() -> None:
    some = faces(4)
    some.truth[:, 0] = [np.nan, 0.0, 1.0, 3.0]
    unknown, none, doubtful, strong = GradeWeights(some)(some)[:, 0]
    assert unknown == 0
    assert none == strong
    assert doubtful == pytest.approx(0.6 * strong)


def test_right_blendshapes_lose_nothing() -> None:
    some = faces(2)
    some.truth[:], some.teacher[:] = 3.0, 1.0
    some.truth[:, [PLACES.index(name) for name in ("gazeH", "gazeV", "mouthSide")]] = 0.0
    loss = PortraitLoss(some, NAMES, 1.0, 1.0)
    right = loss(torch.ones(2, len(NAMES)), some.truth, GradeWeights(some)(some), some.teacher)
    wrong = loss(torch.zeros(2, len(NAMES)), some.truth, GradeWeights(some)(some), some.teacher)
    assert right.item() == pytest.approx(0.0, abs=1e-6)
    assert wrong.item() > 1.0


def test_the_difference_between_the_sides_is_taught() -> None:
    some = faces(2)
    some.truth[:], some.teacher[:] = np.nan, 0.0
    some.teacher[:, NAMES.index("mouthSmileLeft")] = 1.0
    loss = PortraitLoss(replace(some, truth=faces(2).truth), NAMES, 0.0, 1.0)
    even, one_sided = torch.full((2, len(NAMES)), 0.0), torch.full((2, len(NAMES)), 0.0)
    one_sided[:, NAMES.index("mouthSmileLeft")] = 1.0
    weights = np.zeros_like(some.truth)
    assert loss(one_sided, some.truth, weights, some.teacher) < loss(even, some.truth, weights, some.teacher)


def test_blendshapes_that_are_not_known_count_nothing_on_renders() -> None:
    some = faces(2, graded=False)
    loss, truth = RenderLoss(some), some.truth.copy()
    truth[:, 3] = np.nan
    shown = torch.from_numpy(some.truth.copy())
    shown[:, 3] = 0.0
    assert loss(shown, truth).item() == pytest.approx(0.0)


def test_what_few_show_is_chosen_more_often() -> None:
    grades = np.zeros((100, len(COLUMNS)), np.float32)
    grades[0, PLACES.index("tongue")] = 3.0
    assert rarity(grades)[0] > 2 * rarity(grades)[1]
    some = faces(40)
    chosen = Sampler(some, True, np.random.default_rng(1))(10)
    assert chosen.max() < 40


def test_disturbed_patches_keep_their_shape(canonical: FloatArray) -> None:
    some = faces(3)
    movements = np.zeros((len(NAMES), FEATURES - 3), np.float32)
    disturb = Disturber(mirror_of(canonical, NAMES), movements, seed=1)
    assert disturb.patches(some.patches).shape == (3, len(PARTS), SIDE, SIDE)
    np.testing.assert_array_equal(disturb.features(some.features)[:, -3:].numpy(), some.features[:, -3:])
    fit, head = disturb.estimates(some, dropout=0.0)
    np.testing.assert_array_equal(fit.numpy(), some.fit)
    np.testing.assert_array_equal(head.numpy(), some.head)


def test_curves_stretch_what_is_read_too_weakly() -> None:
    rng = np.random.default_rng(2)
    grades = np.full((400, len(COLUMNS)), np.nan)
    grades[:, PLACES.index("smile")] = rng.choice([0.0, 1.0, 2.0, 3.0], 400, p=[0.7, 0.1, 0.1, 0.1])
    values = np.zeros((400, len(NAMES)))
    for side in ("Left", "Right"):
        shown = 0.08 + 0.5 * grades[:, PLACES.index("smile")] / 3 + rng.normal(0, 0.02, 400)
        values[:, NAMES.index("mouthSmile" + side)] = shown
    read = fit_curves(values, grades, NAMES)(values)[:, NAMES.index("mouthSmileLeft")]
    smile = grades[:, PLACES.index("smile")]
    assert read[smile == 0].mean() < 0.08
    assert read[smile == 3].mean() > 0.75


@pytest.fixture
def portraits(tmp_path: Path, portrait: NDArray[np.uint8]) -> Path:
    """A folder of six graded pictures of one rendered face, and one picture of nothing."""
    folder = tmp_path / "photos"
    (folder / "some").mkdir(parents=True)
    lines = ["file,passes," + ",".join(COLUMNS)]
    for number in range(6):
        cv2.imwrite(
            str(folder / f"some/p{number}.png"), np.clip(portrait * (0.7 + 0.1 * number), 0, 255).astype(np.uint8)
        )
        lines.append(f"p{number}.png,{1 + number % 2}," + ",".join(["0", "x", *[str(number % 4)] * (len(COLUMNS) - 2)]))
    cv2.imwrite(str(folder / "some/nothing.png"), np.zeros((60, 80, 3), np.uint8))
    lines.append("nothing.png,2," + ",".join(["0"] * len(COLUMNS)))
    (folder / "some_labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_portraits_are_read_in_copies_and_once(portraits: Path, tmp_path: Path) -> None:
    read, edited = read_portraits(portraits, tmp_path, copies=3, edited=0)
    assert edited is None
    assert np.bincount(read.group).tolist() == [3] * 6
    assert read.patches.shape[1:] == (len(PARTS), SIDE + 2 * MARGIN, SIDE + 2 * MARGIN)
    assert np.unique(read.weight).tolist() == pytest.approx([0.6, 1.0])
    first, second = read.truth[0, :2], read.truth[1, :2]  # as it is and mirrored: blinkL, blinkR
    assert (first[0], second[1]) == (0.0, 0.0)
    assert np.isnan(first[1])
    assert np.isnan(second[0])
    (tmp_path / "copies_3/some_00000.npz").unlink()
    for image in (portraits / "some").iterdir():
        image.unlink()
    with pytest.raises(ValueError, match="expected an image"):
        read_portraits(portraits, tmp_path, copies=3, edited=0)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected tables of grades"):
        read_portraits(tmp_path, tmp_path, copies=1, edited=0)


def test_an_added_movement_raises_the_grades() -> None:
    grades, movement = np.zeros(len(COLUMNS)), np.zeros(len(NAMES), np.float32)
    grades[PLACES.index("smile")], grades[PLACES.index("frown")] = np.nan, 2.5
    movement[[NAMES.index(name) for name in ("mouthFrownLeft", "mouthFrownRight", "mouthRight")]] = 0.5
    moved = dict(zip(PLACES, moved_grades(grades, movement, columns_of(NAMES)).tolist(), strict=True))
    assert (moved["frown"], moved["mouthSide"]) == (3.0, -1.5)
    assert np.isnan(moved["smile"])


def test_a_smiling_mouth_gets_no_other_movement() -> None:
    grades = np.zeros(len(COLUMNS))
    grades[PLACES.index("smile")] = 3.0
    for seed in range(40):
        moved = np.flatnonzero(random_movement(NAMES, grades, np.random.default_rng(seed)))
        assert moved.size
        assert all(NAMES[index].startswith(("brow", "eye", "nose")) for index in moved)


def test_a_mixed_face_winks_with_the_eye_of_another() -> None:
    some = faces(8)
    some.truth[:4, :2], some.truth[4:, :2] = 3.0, 0.0
    some.head[:4], some.head[4:] = 0.9, 0.1
    some.fit[:4], some.fit[4:] = 0.9, 0.1
    read = mixed(replace(some, state=np.zeros((8, STATE), np.float32)), 30, NAMES, np.random.default_rng(5))
    lids = read.truth[:, :2]
    assert (lids[:, 0] != lids[:, 1]).mean() > 0.5
    shown = read.fit[:, [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]]
    np.testing.assert_allclose(shown, 0.1 + 0.8 * lids / 3, atol=1e-6)
    np.testing.assert_array_equal(np.isin(read.fit[:, NAMES.index("jawOpen")], some.fit), True)


def test_a_tiny_run_trains_calibrates_and_exports(
    portraits: Path, portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "portraits").symlink_to(portraits_folder)
    monkeypatch.setattr(run, "_RENDERS_HELD_OUT", 0.5)
    config = FusionTraining(
        folder=str(work), copies=2, edited=0, members=2, folds=3, steps=4, portraits=4, renders=4, warmup=2,
        validate_every=2, averaging=0.5, processes=1,
    )  # fmt: skip
    result = run.train_fusion(portraits, config)
    assert "mean_r" in result["held_out"]
    assert set(result["files"]) == {"expression_fusion.onnx", "expression_fusion.tflite"}
    assert (work / "member_1/curves.csv").read_text().count("\n") == 3
    OnnxNetwork(work / "expression_fusion.onnx", INPUTS)
    again = run.train_fusion(portraits, config)  # everything is there already
    assert again["files"] == result["files"]


def test_more_networks_than_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most as many members as folds"):
        run.train_fusion(tmp_path, FusionTraining(members=4, folds=3))


def test_every_portrait_belongs_to_one_part() -> None:
    fold = run.fold_of(np.arange(10), 3, seed=1)
    assert sorted(np.bincount(fold).tolist()) == [3, 3, 4]
