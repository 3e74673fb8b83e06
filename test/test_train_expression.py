"""What the expression head learns from, the learning itself, and what can go wrong with both."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray

from face_expr_ros.bundle import open_face_model
from face_expr_ros.cli.training import train as train_command
from face_expr_ros.config import ConfigError, LandmarksConfig
from face_expr_ros.expression import head
from face_expr_ros.expression.alignment import FEATURES, STEADY, align, features
from face_expr_ros.expression.patches import PARTS, cut_patches
from face_expr_ros.expression.patches import SIDE as PATCH
from face_expr_ros.face_model import BundleError
from face_expr_ros.geometry import project, to_camera
from face_expr_ros.landmarks import open_landmarks
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.scene import FaceRenderer
from face_expr_ros.training.expression import expressions, samples, scenes, shards
from face_expr_ros.training.expression.config import ExpressionTraining, read_training_config
from face_expr_ros.training.expression.user_data import read_user_data
from face_expr_ros.values import Camera, FloatArray, Pose

MODEL = open_face_model("open")
NAMES = MODEL.expression_names
MOVES = [index for index, name in enumerate(NAMES) if "Look" not in name]
PEOPLE, PORTRAITS = 2, 6  # of a shard here
# Few steps on few faces; every fourth person is held out, which is one.
TINY = ExpressionTraining(
    held_out=0.25, steps=6, people=2, moments=3, warmup=2, validate_every=3, save_every=2, averaging=0.5
)


def pictured(expression: FloatArray) -> dict[str, float]:
    return dict(zip(NAMES, expression.tolist(), strict=True))


@cache
def drawn(kind: str, count: int = 600) -> FloatArray:
    rng = np.random.default_rng(4)
    return np.array([expressions.drawn_expression(rng, NAMES, kind) for _ in range(count)])


# Expressions


def test_every_blendshape_is_drawn_and_none_beyond_0_to_1() -> None:
    values = drawn("", 1500)
    assert values.min() == 0.0
    assert values.max() <= 1.0
    strong = (values > 0.3).sum(axis=0)
    assert {name for name, often in zip(NAMES, strong, strict=True) if often < 5} == set()


def test_a_face_at_rest_moves_nothing_but_its_eyes() -> None:
    values = drawn(expressions.REST)
    assert values[:, MOVES].max() == 0.0
    assert 0 < values.max() < 0.5


def test_a_movement_alone_is_one_movement_of_both_sides_or_of_one() -> None:
    for values in map(pictured, drawn(expressions.ALONE)):
        shown = {name for name, value in values.items() if value > 0 and "Look" not in name and "Blink" not in name}
        movements = {name.removesuffix("Left").removesuffix("Right") for name in shown}
        assert len(movements - {"jawOpen"}) <= 1  # the jaw opens for a tongue and for lips that stay closed


@pytest.mark.parametrize("movement", ["jaw", "mouth"])
def test_jaw_and_mouth_go_to_one_side(movement: str) -> None:
    for values in map(pictured, drawn("", 1500)):
        assert min(values[f"{movement}Left"], values[f"{movement}Right"]) == 0.0


def test_a_tongue_comes_out_of_an_open_mouth() -> None:
    tongues = [values for values in map(pictured, drawn("", 1500)) if values["tongueOut"] > 0]
    assert len(tongues) > 10
    assert all(values["jawOpen"] >= 0.4 * values["tongueOut"] for values in tongues)


# Portraits and shards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people in two shards."""
    result = tmp_path_factory.mktemp("portraits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "PORTRAITS", PORTRAITS)
        for number in range(2):
            shards.make_shard(result, number, PEOPLE)
    return result


@pytest.fixture(scope="module")
def shard(folder: Path) -> shards.Shard:
    return shards.read_shard(folder / "shard_00001")


def draw_one(count: int = 3) -> list[scenes.Portrait]:
    detector = open_landmarks(LandmarksConfig())
    portraits = scenes.draw_portraits(MODEL, detector, Appearance.varied(3), np.random.default_rng(11), count)
    detector.close()
    return portraits


def test_the_same_seed_draws_the_same_portraits_with_the_truth_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[FloatArray, Pose, Camera]] = []
    render = FaceRenderer.render

    def recorded(self: FaceRenderer, vertices: FloatArray, pose: Pose, camera: Camera, *others: Any) -> Any:
        seen.append((vertices, pose, camera))
        return render(self, vertices, pose, camera, *others)

    monkeypatch.setattr(FaceRenderer, "render", recorded)
    first, second = draw_one(), draw_one()
    assert len(first) == len(second) == 3
    for one, two, (vertices, pose, camera) in zip(first, second, seen, strict=False):
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.landmarks, two.landmarks)
        np.testing.assert_array_equal(one.expression, two.expression)
        points = MODEL.facemesh_points(vertices)
        truth = project(to_camera(points, pose), camera)
        far = np.linalg.norm(one.landmarks[STEADY, :2] - truth[STEADY], axis=1)
        eyes = np.linalg.norm(truth[33] - truth[263])
        assert far.mean() < 0.12 * eyes  # FaceMesh errs, and where it puts points on skin is its own
        assert one.image.shape == (scenes.SIDE, scenes.SIDE)


def test_a_shard_has_what_its_readers_want(shard: shards.Shard) -> None:
    count = len(shard.person)
    assert count == PEOPLE * PORTRAITS  # FaceMesh finds all of these
    assert shard.image.shape == (count, scenes.SIDE, scenes.SIDE)
    assert shard.image.dtype == np.uint8
    assert shard.landmarks.shape == (count, 478, 3)
    assert shard.expression.shape == (count, len(NAMES))
    assert shard.angles.shape == (count, 2)
    assert np.degrees(np.abs(shard.angles[:, 0])).max() <= 60.0 + 1e-3
    assert shard.person.tolist() == [2] * PORTRAITS + [3] * PORTRAITS
    assert samples.at_rest(shard.expression, NAMES)[:3].all()


def test_landmarks_are_turned_as_the_face_was(shard: shards.Shard) -> None:
    canonical = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    yaw = [np.arcsin(-align(points, canonical).rotation[0, 2]) for points in shard.landmarks]
    assert np.degrees(np.abs(yaw - shard.angles[:, 0])).mean() < 8.0


def test_an_interrupted_drawing_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(number: int, people: int) -> Iterator[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "_draw", stopped)
    with pytest.raises(KeyboardInterrupt):
        shards.make_shard(tmp_path, 0)
    assert shards.finished_shards(tmp_path) == []


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path, shard: shards.Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    portrait = scenes.Portrait(shard.image[0], shard.landmarks[0], shard.expression[0], shard.angles[0])
    monkeypatch.setattr(shards, "_draw", lambda number, people: iter([(7, portrait)]))
    unfinished = tmp_path / "shard_00000.part"
    unfinished.mkdir()
    (unfinished / "angles.npy").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"angles|space|written"):
        shards.make_shard(tmp_path, 0)
    assert shards.finished_shards(tmp_path) == []
    (unfinished / "angles.npy").unlink()
    shards.make_shard(tmp_path, 0)
    assert shards.read_shard(tmp_path / "shard_00000").person.tolist() == [7]


def test_what_is_drawn_already_is_not_drawn_again_and_the_manifest_lists_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PORTRAITS", PORTRAITS)
    here = tmp_path / "copy"
    shutil.copytree(folder, here)
    result = shards.synthesize(here, count=2 * PEOPLE * PORTRAITS, processes=1, people=PEOPLE)
    count = sum(len(shards.read_shard(path).person) for path in shards.finished_shards(here))
    assert result == {"folder": str(here), "drawings": count, "new": 0}
    manifest = json.loads((here / shards.MANIFEST).read_text())
    assert manifest["expression"] == list(NAMES)
    assert sum(manifest["portraits"].values()) == count


# Mirror images


@pytest.fixture(scope="module")
def canonical() -> FloatArray:
    """(478, 3) a face that is alike on both sides."""
    points = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    return (points + points[samples.mirrored_points(points)] * [-1.0, 1.0, 1.0]) / 2


def in_image(canonical: FloatArray, width: int) -> FloatArray:
    """(478, 3) a lopsided face in an image of some width and 240 pixels' height, turned a little."""
    moved = canonical + np.random.default_rng(5).normal(0, 0.003, canonical.shape)
    yaw = np.radians(20.0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    seen = 900 * (moved @ turn.T) * [1.0, -1.0, -1.0]
    return np.asarray(seen + np.array([width / 2 - 0.5 + 7, 110.0, 0.0]))


def test_mirroring_twice_changes_nothing(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    for order in (mirror.features, mirror.patches, mirror.expression):
        np.testing.assert_array_equal(order[order], np.arange(len(order)))
    np.testing.assert_array_equal(mirror.sign * mirror.sign[mirror.features], 1.0)
    assert len(mirror.features) == FEATURES


def test_blendshapes_change_sides_in_the_mirror(canonical: FloatArray) -> None:
    mirror = samples.mirror_of(canonical, NAMES)
    there = {name: NAMES[place] for name, place in zip(NAMES, mirror.expression, strict=True)}
    assert there["eyeBlinkLeft"] == "eyeBlinkRight"
    assert there["jawLeft"] == "jawRight"
    assert there["eyeLookInLeft"] == "eyeLookInRight"
    assert there["jawOpen"] == "jawOpen"


def test_a_mirrored_picture_has_mirrored_features_and_patches(canonical: FloatArray) -> None:
    width = 320
    mirror = samples.mirror_of(canonical, NAMES)
    twin = samples.mirrored_points(canonical)
    points = in_image(canonical, width)
    noise = np.random.default_rng(1).integers(0, 255, (24, 32)).astype(np.uint8)
    image = np.kron(noise, np.ones((10, 10), np.uint8))
    flipped = points[twin] * [-1.0, 1.0, 1.0] + [width - 1.0, 0.0, 0.0]
    ours, theirs = align(points, canonical), align(flipped, canonical)
    wanted = features(ours, canonical)[mirror.features] * mirror.sign
    np.testing.assert_allclose(features(theirs, canonical), wanted, atol=1e-6)  # centimeters
    patches = cut_patches(image, points, ours)[mirror.patches]
    patches[mirror.turned] = patches[mirror.turned, :, ::-1]
    seen = cut_patches(image[:, ::-1].copy(), flipped, theirs)
    assert np.abs(seen.astype(int) - patches).mean() < 1.0  # gray levels


def test_a_rest_is_another_portrait_of_the_same_person() -> None:
    person = np.array([1, 1, 1, 2, 2, 3])
    rest = np.array([True, False, True, False, True, False])
    found = samples.RestFinder(person, rest)(np.arange(6), np.random.default_rng(0))
    assert found.tolist()[:1] + found.tolist()[2:] == [2, 0, 4, -1, -1]
    assert found[1] in (0, 2)


def test_nobody_ahead_at_rest_makes_no_canonical_face(canonical: FloatArray) -> None:
    with pytest.raises(ValueError, match="draw more people"):
        samples.canonical_face([], canonical)


# Data of the user's own


def own(count: int = 4) -> dict[str, NDArray[Any]]:
    """The arrays of a good file."""
    points = MODEL.facemesh_points(MODEL.mean) * [900.0, -900.0, -900.0] + [80.0, 60.0, 0.0]
    return {
        "image": np.full((count, 120, 160), 90, np.uint8),
        "landmarks": np.repeat(points[None], count, axis=0).astype(np.float32),
        "expression": np.zeros((count, 52), np.float32),
        "person": np.arange(count) // 2,
    }


def written(folder: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return path


def test_own_data_are_read_and_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    arrays = own()
    arrays["expression"][1] = np.nan
    read = read_user_data(written(tmp_path, arrays))
    np.testing.assert_array_equal(read.image, arrays["image"])
    np.testing.assert_array_equal(read.expression, arrays["expression"])
    assert np.isnan(read.angles).all()
    assert read.person.dtype == np.int64


def test_own_data_may_name_some_blendshapes_in_any_order(tmp_path: Path) -> None:
    arrays = own() | {"names": np.array(["mouthSmileLeft", "jawOpen"]), "expression": np.full((4, 2), 0.25)}
    arrays["expression"][:, 1] = 0.75
    read = read_user_data(written(tmp_path, arrays))
    for name, value in (("mouthSmileLeft", 0.25), ("jawOpen", 0.75), ("cheekPuff", np.nan)):
        np.testing.assert_array_equal(read.expression[:, NAMES.index(name)], value)


def changed(name: str, value: Any) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays.update({name: np.asarray(value)})


def missing(name: str) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays.__delitem__(name)


def at(name: str, value: float) -> Callable[[dict[str, NDArray[Any]]], None]:
    return lambda arrays: arrays[name].__setitem__((2, 3), value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing("landmarks"), r"needs the arrays landmarks too, and holds expression, image, person"),
        (changed("image", np.zeros((4, 8, 8), np.float32)), r"image .* should be uint8 .* and is float32"),
        (changed("image", np.zeros((4, 8, 8, 3), np.uint8)), r"shape \(N, height, width\), and is .*\(4, 8, 8, 3\)"),
        (changed("landmarks", np.zeros((4, 68, 3), np.float32)), r"\(N = 4, 478, 3\), and is .*\(4, 68, 3\)"),
        (changed("person", np.zeros(3, int)), r"person .* shape \(N = 4\), and is .*\(3,\)"),
        (changed("person", np.zeros(4)), r"person .* should be integer .* and is float64"),
        (changed("expression", np.zeros((4, 51), np.float32)), r"names .* shape \(K = 51\), and is .*\(52,\)"),
        (changed("angles", np.zeros((4, 3))), r"angles .* shape \(N = 4, 2\), and is .*\(4, 3\)"),
        (changed("names", np.array([*NAMES[:-1], "smirk"])), r"blendshapes of ARKit.*and has smirk"),
        (changed("names", np.array([*NAMES[:-1], NAMES[0]])), r"and has one twice"),
        (at("landmarks", np.nan), r"those of portrait 2 are not: leave out the 1 portraits"),
        (at("expression", 1.5), r"in 0..1, or NaN where not known, and has 1.5"),
        (at("expression", -0.5), r"in 0..1, or NaN where not known, and has -0.5"),
        (at("expression", np.inf), r"and has inf"),
    ],
)
def test_damaged_data_are_refused_with_what_was_wanted_and_given(
    tmp_path: Path, damage: Callable[[dict[str, NDArray[Any]]], None], words: str
) -> None:
    arrays = own()
    damage(arrays)
    with pytest.raises(ValueError, match=words):
        read_user_data(written(tmp_path, arrays))


def test_landmarks_in_parts_of_the_image_are_refused(tmp_path: Path) -> None:
    arrays = own()
    arrays["landmarks"] /= 160
    with pytest.raises(ValueError, match="multiply x and z by the image's width"):
        read_user_data(written(tmp_path, arrays))


def test_a_file_without_portraits_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no portraits"):
        read_user_data(written(tmp_path, {name: array[:0] for name, array in own().items()}))
    (tmp_path / "own.npz").write_bytes(b"portraits")
    with pytest.raises(ValueError, match=r"not a whole \.npz file"):
        read_user_data(tmp_path / "own.npz")


# Settings and the command


def test_the_settings_in_the_package_are_the_defaults() -> None:
    path = Path(__file__).parent.parent / "config/train_expression.yaml"
    assert read_training_config(path) == ExpressionTraining()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: -3", "steps"),
        ("stepz: 3", "stepz"),
        ("[1, 2]", "should hold settings by name, and holds list"),
        ("steps: [", "should be a YAML file of training settings"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_training_config(path)


def test_a_file_of_settings_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        read_training_config(tmp_path / "nowhere.yaml")


def test_training_the_head_without_pytorch_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("face_expr_ros.training.expression.")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(train_command, ["expression", "--folder", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "training needs PyTorch" in result.output
    assert not (tmp_path / "run").exists()


def test_own_data_that_cannot_be_used_are_refused_before_anything_is_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(shards, "synthesize", lambda *_: pytest.fail("it draws"))
    path = written(tmp_path, {name: array for name, array in own().items() if name != "person"})
    result = CliRunner().invoke(train_command, ["expression", "--folder", str(tmp_path / "run"), "--extra", str(path)])
    assert isinstance(result.exception, ValueError)
    assert "needs the arrays person too" in str(result.exception)


# Learning


def settings_in(folder: Path, portraits: Path, **changes: Any) -> ExpressionTraining:
    """Settings of a run in a folder, where the portraits are."""
    folder.mkdir()
    (folder / "portraits").symlink_to(portraits)
    return replace(TINY, folder=str(folder), **changes)


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import train

    result = tmp_path_factory.mktemp("runs") / "run"
    assert train(settings_in(result, folder))["step"] == TINY.steps
    return result


def curves(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "curves.csv").read_text(encoding="utf-8").splitlines()))


def test_a_run_leaves_curves_settings_and_its_best_head(run: Path) -> None:
    from face_expr_ros.training.expression.train import best_network

    assert [row["step"] for row in curves(run)] == ["3", "6"]
    assert all(math.isfinite(float(value)) for row in curves(run) for value in row.values())
    assert yaml.safe_load((run / "settings.yaml").read_text())["steps"] == TINY.steps
    network, canonical = best_network(run, len(NAMES))
    assert not network.training
    np.testing.assert_allclose(
        canonical[samples.mirrored_points(canonical)] * [-1, 1, 1], canonical, atol=1e-9
    )  # meters
    assert {path.name for path in run.glob("*.part")} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "again"), [(1, 0), (3, 3), (5, 4)], ids=["before_any_checkpoint", "after_a_validation", "in_between"]
)
def test_a_run_that_was_interrupted_goes_on_at_its_last_checkpoint(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, again: int
) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    def interrupted(items: Iterable[Any], *_: Any) -> Iterator[Any]:
        yield from islice(items, stop)
        raise KeyboardInterrupt

    taken: list[int] = []

    def recorded(items: Iterable[Any], *_: Any) -> Iterator[Any]:
        for item in items:
            taken.append(item[0])
            yield item

    config = settings_in(tmp_path / "run", folder)
    monkeypatch.setattr(train, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(config)
    monkeypatch.setattr(train, "progress", recorded)
    assert train.train(config)["step"] == TINY.steps
    assert taken == list(range(again, TINY.steps))
    assert [row["step"] for row in curves(tmp_path / "run")] == ["3", "6"]
    assert train.train(config)["step"] == TINY.steps  # a finished one stays as it is
    assert len(curves(tmp_path / "run")) == 2


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(folder: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import CHECKPOINT, train

    config = settings_in(tmp_path / "run", folder, steps=2)
    train(config)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    unfinished = (tmp_path / "run" / CHECKPOINT).with_suffix(".part")
    unfinished.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"checkpoint\.pt' cannot be written: No space left on device"):
        train(replace(config, steps=4))
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
    assert torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["step"] == 2
    unfinished.unlink()
    assert train(replace(config, steps=4))["step"] == 4


def test_the_head_that_is_kept_is_the_best_and_not_the_last(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    marks = iter([0.5, 0.3])
    monkeypatch.setattr(train, "validate", lambda *_: (np.full(52, next(marks)), np.zeros(52)))
    result = train.train(settings_in(tmp_path / "run", folder))
    assert result == {"step": 6, "correlation": 0.5}
    assert torch.load(tmp_path / "run" / train.BEST, weights_only=True)["step"] == 3
    assert torch.load(tmp_path / "run" / train.CHECKPOINT, weights_only=True)["step"] == 6


def test_without_portraits_or_people_a_run_does_not_begin(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import held_out_people, train

    (tmp_path / "portraits").mkdir()
    with pytest.raises(ValueError, match=r"portraits' has no portraits: draw them first"):
        train(replace(TINY, folder=str(tmp_path)))
    with pytest.raises(ValueError, match="for training and for validation, and there are 3 in all"):
        held_out_people(np.array([0, 0, 1, 2]), 0.1)


def test_own_data_train_beside_the_drawn_people(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    arrays = own() | {"names": np.array(["jawOpen"]), "expression": np.full((4, 1), 0.5)}
    path = written(tmp_path, arrays)
    assert train.train(settings_in(tmp_path / "run", folder, steps=2), [path, path])["step"] == 2
    canonical = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    joined = train._joined([samples.load_samples([path], canonical) for _ in range(2)])
    assert joined.person.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]  # the same number in two files is somebody else


@pytest.mark.slow
def test_one_command_draws_trains_and_exports(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(shards, "synthesize", lambda portraits, *_: shutil.copytree(folder, portraits))
    settings = {name: getattr(TINY, name) for name in ("held_out", "steps", "people", "moments", "validate_every")}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    options = {"config": "tiny.yaml", "folder": "run", "extra": written(tmp_path, own()).name, "json": "result.json"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(tmp_path / value))]
    result = CliRunner().invoke(train_command, ["expression", *words], catch_exceptions=False)
    assert result.exit_code == 0
    assert "mean correlation on people it never saw" in result.output
    written_files = json.loads((tmp_path / "result.json").read_text())["files"]
    for name in ("expression_head.onnx", "expression_head.npz"):
        assert written_files[name]["bytes"] == (tmp_path / "run" / name).stat().st_size


def made_up(people: int = 3, portraits: int = 5) -> samples.Samples:
    """Samples whose first feature says who it is; the first two of a person are at rest, the last person never is."""
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(people), portraits)
    count = len(person)
    seen = rng.normal(0, 1, (count, FEATURES)).astype(np.float32)
    seen[:, 0] = 10 * person
    expression = rng.uniform(0.2, 1, (count, 52)).astype(np.float32)
    expression[(np.arange(count) % portraits < 2) & (person < people - 1)] = 0.0
    side = PATCH + 2 * samples.MARGIN
    patches = rng.integers(0, 255, (count, len(PARTS), side, side), np.uint8)
    return samples.Samples(seen, patches, expression, np.zeros((count, 2), np.float32), person)


def test_a_batch_compares_each_person_with_its_own_rest(canonical: FloatArray) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.batches import Batches

    mirror = replace(samples.mirror_of(canonical, NAMES), features=np.arange(FEATURES), sign=np.ones(FEATURES))
    mirror = replace(mirror, sign=mirror.sign.astype(np.float32))
    batches = iter(Batches(made_up(), NAMES, mirror, people=4, moments=3, seed=1))
    unknown = 0
    for _ in range(10):
        batch = next(batches)
        who = np.round(batch.features[:, 0].numpy() / 10)
        count, known = len(who), batch.known[:, 0].numpy() == 1
        assert batch.patches.shape == (count, len(PARTS), PATCH, PATCH)
        assert batch.expression.shape == (count, 52)
        np.testing.assert_array_equal(who[batch.rest.numpy()], who)
        assert batch.expression[batch.rest].numpy()[known].max() == 0.0
        assert batch.expression.numpy()[known].min() > 0.0
        unknown += int((~known & (batch.expression.numpy().max(axis=1) > 0)).sum())
    assert unknown > 0  # who was never seen at rest is there too


def test_a_blendshape_that_is_not_known_moves_nothing(canonical: FloatArray, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression import train
    from face_expr_ros.training.expression.batches import Batches

    seen = made_up()
    mirror = samples.mirror_of(canonical, NAMES)
    run = train._Run(replace(TINY, folder=str(tmp_path)), NAMES, canonical, seen, seen)
    batch = next(iter(Batches(seen, NAMES, mirror, people=2, moments=2, seed=0)))
    jaw = NAMES.index("jawOpen")
    batch.expression[:, jaw] = torch.nan
    loss = run._loss(batch)
    loss.backward()
    moved = run._network.trunk[-1].bias.grad.numpy()
    assert math.isfinite(loss.item())
    assert moved[jaw] == 0.0
    assert (np.delete(moved, jaw) != 0.0).all()


def test_the_head_s_learning_rate_rises_stays_and_falls() -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.running import schedule

    config = ExpressionTraining(steps=1000, warmup=100, decay=0.4)
    rates = [schedule(step, config) for step in (0, 49, 99, 300, 600, 800, 999)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0025])


# What comes out


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> head.ExpressionHead:
    """The head of a folder, in place of the package's."""
    files = {"network": folder / "expression_head.onnx", "arrays": folder / "expression_head.npz"}
    monkeypatch.setattr(head, "package_file", lambda name, kind: files[kind])
    return head.ExpressionHead()


def test_the_exported_head_answers_as_the_trained_network(
    run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression.export import calm, export
    from face_expr_ros.training.expression.train import best_network

    files = export(run, tmp_path)
    assert set(files) == {"expression_head.onnx", "expression_head.npz"}
    network, canonical = best_network(run, len(NAMES))
    shown = samples.load_samples([folder / "shard_00000"], canonical)
    ours = opened(tmp_path, monkeypatch)
    assert ours.names == NAMES
    shard = shards.read_shard(folder / "shard_00000")
    for index in range(3):
        image, points = np.asarray(shard.image[index]), shard.landmarks[index : index + 1].astype(np.float64)
        inner = shown.patches[index : index + 1, :, samples.MARGIN : -samples.MARGIN, samples.MARGIN : -samples.MARGIN]
        seen = torch.from_numpy(shown.features[index : index + 1])
        with torch.no_grad():
            state = network.state(seen, torch.from_numpy(inner.astype(np.float32)))
        for rest in (None, np.random.default_rng(index).normal(size=ours.state_size).astype(np.float32)):
            known = torch.full((1, 1), float(rest is not None))
            told = torch.from_numpy(np.zeros(ours.state_size, np.float32) if rest is None else rest)[None]
            with torch.no_grad():
                wanted = network.from_rest(state, seen[:, -3:], told, known, torch.from_numpy(calm(NAMES)))
            values, states = ours(image, points, [rest])
            np.testing.assert_allclose(values, wanted, atol=1e-4)
            np.testing.assert_allclose(states, state, atol=1e-3)  # sums of 1,437 features, single precision


def test_a_head_for_other_features_is_refused_and_so_are_landmarks_that_are_no_numbers(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import export

    export.export(run, tmp_path)
    ours = opened(tmp_path, monkeypatch)
    points = np.full((1, 478, 3), np.nan)
    with pytest.raises(ValueError, match="landmarks must be finite numbers"):
        ours(np.zeros((40, 40), np.uint8), points, [None])
    with pytest.raises(ValueError, match=r"shape \(n, 478, 3\), and have \(1, 68, 3\)"):
        ours(np.zeros((40, 40), np.uint8), points[:, :68], [None])
    monkeypatch.setattr(export, "FEATURE_VERSION", head.FEATURE_VERSION + 1)
    export.export(run, tmp_path)
    versions = f"features of version '{head.FEATURE_VERSION + 1}' and this package makes version {head.FEATURE_VERSION}"
    with pytest.raises(BundleError, match=f"{versions}: .*train the head again"):
        opened(tmp_path, monkeypatch)
