"""The learning of the expression head, and what comes out of it."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from support.paths import ROOT
from support.user_data import own, written

from face_expr_ros.cli.training import train as train_command
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression import head
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.patches import PARTS
from face_expr_ros.perception.expression.patches import SIDE as PATCH
from face_expr_ros.training.expression import samples, shards
from face_expr_ros.training.expression.config import ExpressionTraining, read_training_config

MODEL = open_face_model("open")
NAMES = MODEL.expression_names
# Few steps on few faces; every fourth person is held out, which is one.
TINY = ExpressionTraining(
    held_out=0.25, steps=6, people=2, moments=3, warmup=2, validate_every=3, save_every=2, averaging=0.5
)


# Settings and the command


def test_the_settings_in_the_package_are_the_defaults() -> None:
    path = ROOT / "config/train_expression.yaml"
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
def run(portraits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import train

    result = tmp_path_factory.mktemp("runs") / "run"
    assert train(settings_in(result, portraits_folder))["step"] == TINY.steps
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
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, again: int
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

    config = settings_in(tmp_path / "run", portraits_folder)
    monkeypatch.setattr(train, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(config)
    monkeypatch.setattr(train, "progress", recorded)
    assert train.train(config)["step"] == TINY.steps
    assert taken == list(range(again, TINY.steps))
    assert [row["step"] for row in curves(tmp_path / "run")] == ["3", "6"]
    assert train.train(config)["step"] == TINY.steps  # a finished one stays as it is
    assert len(curves(tmp_path / "run")) == 2


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(portraits_folder: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import CHECKPOINT, train

    config = settings_in(tmp_path / "run", portraits_folder, steps=2)
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
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    marks = iter([0.5, 0.3])
    monkeypatch.setattr(train, "validate", lambda *_: (np.full(52, next(marks)), np.zeros(52)))
    result = train.train(settings_in(tmp_path / "run", portraits_folder))
    assert result == {"step": 6, "correlation": 0.5}
    assert torch.load(tmp_path / "run" / train.BEST, weights_only=True)["step"] == 3
    assert torch.load(tmp_path / "run" / train.CHECKPOINT, weights_only=True)["step"] == 6


def test_without_portraits_or_people_a_run_does_not_begin(portraits_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import held_out_people, train

    (tmp_path / "portraits").mkdir()
    with pytest.raises(ValueError, match=r"portraits' has no portraits: draw them first"):
        train(replace(TINY, folder=str(tmp_path)))
    with pytest.raises(ValueError, match="for training and for validation, and there are 3 in all"):
        held_out_people(np.array([0, 0, 1, 2]), 0.1)


def test_own_data_train_beside_the_drawn_people(portraits_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    arrays = own() | {"names": np.array(["jawOpen"]), "expression": np.full((4, 1), 0.5)}
    path = written(tmp_path, arrays)
    assert train.train(settings_in(tmp_path / "run", portraits_folder, steps=2), [path, path])["step"] == 2
    canonical = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    joined = train._joined([samples.load_samples([path], canonical) for _ in range(2)])
    assert joined.person.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]  # the same number in two files is somebody else


@pytest.mark.slow
def test_one_command_draws_trains_and_exports(
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(shards, "synthesize", lambda portraits, *_: shutil.copytree(portraits_folder, portraits))
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
    run: Path, portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression.export import calm, export
    from face_expr_ros.training.expression.train import best_network

    files = export(run, tmp_path)
    assert set(files) == {"expression_head.onnx", "expression_head.npz"}
    network, canonical = best_network(run, len(NAMES))
    shown = samples.load_samples([portraits_folder / "shard_00000"], canonical)
    ours = opened(tmp_path, monkeypatch)
    assert ours.names == NAMES
    shard = shards.read_shard(portraits_folder / "shard_00000")
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
