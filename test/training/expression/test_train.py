"""Training of the expression head: settings, the command, training runs and the exported head."""

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
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression import head
from face_expr_ros.training.expression import samples, shards
from face_expr_ros.training.expression.config import ExpressionTraining, read_training_config

MODEL = open_face_model("open")
NAMES = MODEL.expression_names
# Few steps on few faces; every fourth person, which is one, is held out.
TINY = ExpressionTraining(
    held_out=0.25, steps=6, people=2, moments=3, warmup=2, validate_every=3, save_every=2, averaging=0.5
)


# Settings and the command


def test_settings_file_of_the_package_equals_the_defaults() -> None:
    path = ROOT / "config/train_expression.yaml"
    assert read_training_config(path) == ExpressionTraining()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: -3", "steps"),
        ("stepz: 3", "stepz"),
        ("[1, 2]", "expected a mapping of setting names to values, got list"),
        ("steps: [", "expected a YAML file of training settings"),
    ],
)
def test_invalid_settings_are_rejected(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_training_config(path)


def test_missing_settings_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        read_training_config(tmp_path / "nowhere.yaml")


def test_training_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("face_expr_ros.training.expression.")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(train_command, ["expression", "--folder", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "training requires PyTorch" in result.output
    assert not (tmp_path / "run").exists()


def test_invalid_user_data_are_rejected_before_rendering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(shards, "synthesize", lambda *_: pytest.fail("rendering started"))
    path = written(tmp_path, {name: array for name, array in own().items() if name != "person"})
    result = CliRunner().invoke(train_command, ["expression", "--folder", str(tmp_path / "run"), "--extra", str(path)])
    assert isinstance(result.exception, ValueError)
    assert "missing arrays person" in str(result.exception)


# Training


def settings_in(folder: Path, portraits: Path, **changes: Any) -> ExpressionTraining:
    """Settings of a run in a new folder that links to the portraits."""
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


def test_run_writes_curves_settings_and_its_best_head(run: Path) -> None:
    from face_expr_ros.training.expression.train import best_network

    assert [row["step"] for row in curves(run)] == ["3", "6"]
    assert all(math.isfinite(float(value)) for row in curves(run) for value in row.values())
    assert yaml.safe_load((run / "settings.yaml").read_text())["steps"] == TINY.steps
    network, canonical = best_network(run, len(NAMES))
    assert not network.training
    np.testing.assert_allclose(
        canonical[samples.mirror_indices(canonical)] * [-1, 1, 1], canonical, atol=1e-9
    )  # meters
    assert {path.name for path in run.glob("*.part")} == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "resumed"), [(1, 0), (3, 3), (5, 4)], ids=["before_any_checkpoint", "after_a_validation", "in_between"]
)
def test_interrupted_run_resumes_from_its_last_checkpoint(
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, resumed: int
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
    assert taken == list(range(resumed, TINY.steps))
    assert [row["step"] for row in curves(tmp_path / "run")] == ["3", "6"]
    assert train.train(config)["step"] == TINY.steps  # a finished run is not continued
    assert len(curves(tmp_path / "run")) == 2


def test_full_disk_is_reported_and_keeps_the_last_checkpoint(portraits_folder: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import CHECKPOINT, train

    config = settings_in(tmp_path / "run", portraits_folder, steps=2)
    train(config)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    unfinished = (tmp_path / "run" / CHECKPOINT).with_suffix(".part")
    unfinished.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"cannot write .*checkpoint\.pt': No space left on device"):
        train(replace(config, steps=4))
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
    assert torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["step"] == 2
    unfinished.unlink()
    assert train(replace(config, steps=4))["step"] == 4


def test_best_head_is_kept_not_the_last(
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    correlations = iter([0.5, 0.3])
    monkeypatch.setattr(train, "validate", lambda *_: (np.full(52, next(correlations)), np.zeros(52)))
    result = train.train(settings_in(tmp_path / "run", portraits_folder))
    assert result == {"step": 6, "correlation": 0.5}
    assert torch.load(tmp_path / "run" / train.BEST, weights_only=True)["step"] == 3
    assert torch.load(tmp_path / "run" / train.CHECKPOINT, weights_only=True)["step"] == 6


def test_run_requires_portraits_and_enough_people(portraits_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.train import held_out_mask, train

    (tmp_path / "portraits").mkdir()
    with pytest.raises(ValueError, match=r"expected rendered portraits in .*portraits', got none"):
        train(replace(TINY, folder=str(tmp_path)))
    with pytest.raises(ValueError, match="for training and for validation, got 3"):
        held_out_mask(np.array([0, 0, 1, 2]), 0.1)


def test_user_data_are_added_to_the_synthetic_portraits(portraits_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import train

    arrays = own() | {"names": np.array(["jawOpen"]), "expression": np.full((4, 1), 0.5)}
    path = written(tmp_path, arrays)
    assert train.train(settings_in(tmp_path / "run", portraits_folder, steps=2), [path, path])["step"] == 2
    canonical = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    joined = train._concatenate([samples.load_samples([path], canonical) for _ in range(2)])
    assert joined.person.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]  # equal indices in two files are different people


@pytest.mark.slow
def test_train_command_renders_trains_and_exports(
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
    assert "mean correlation on held-out people" in result.output
    written_files = json.loads((tmp_path / "result.json").read_text())["files"]
    for name in ("expression_head.onnx", "expression_head.tflite", "expression_head.npz"):
        assert written_files[name]["bytes"] == (tmp_path / "run" / name).stat().st_size


# Export


def open_head(folder: Path, monkeypatch: pytest.MonkeyPatch) -> head.ExpressionHead:
    """The head in a folder instead of the package's."""
    files = {"network": folder / "expression_head.tflite", "arrays": folder / "expression_head.npz"}
    monkeypatch.setattr(head, "package_file", lambda name, kind: files[kind])
    return head.ExpressionHead()


def relative_to_neutral(network: Any, state: Any, view: Any, neutral: Any, known: Any, mask: Any) -> Any:
    """The exported graph in PyTorch: the output for the neutral state is subtracted, and the range is rescaled."""
    from face_expr_ros.perception.expression.neutral import MAX_NEUTRAL

    offset = known * mask * network(neutral, view, neutral, known).clamp(0.0, MAX_NEUTRAL)
    return ((network(state, view, neutral, known) - offset) / (1.0 - offset)).clamp(0.0, 1.0)


def test_exported_head_gives_the_outputs_of_the_trained_network(
    run: Path, portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.perception.expression.neutral import neutral_mask
    from face_expr_ros.training.expression.export import export
    from face_expr_ros.training.expression.train import best_network

    files = export(run, tmp_path)
    assert set(files) == {"expression_head.onnx", "expression_head.tflite", "expression_head.npz"}
    network, canonical = best_network(run, len(NAMES))
    loaded = samples.load_samples([portraits_folder / "shard_00000"], canonical)
    exported = open_head(tmp_path, monkeypatch)
    assert exported.names == NAMES
    shard = shards.read_shard(portraits_folder / "shard_00000")
    for index in range(3):
        image, points = np.asarray(shard.image[index]), shard.landmarks[index : index + 1].astype(np.float64)
        inner = loaded.patches[index : index + 1, :, samples.MARGIN : -samples.MARGIN, samples.MARGIN : -samples.MARGIN]
        features = torch.from_numpy(loaded.features[index : index + 1])
        with torch.no_grad():
            state = network.state(features, torch.from_numpy(inner.astype(np.float32)))
        for neutral in (None, np.random.default_rng(index).normal(size=exported.state_size).astype(np.float32)):
            known = torch.full((1, 1), float(neutral is not None))
            given = torch.from_numpy(np.zeros(exported.state_size, np.float32) if neutral is None else neutral)[None]
            mask = torch.from_numpy(neutral_mask(NAMES).astype(np.float32))
            with torch.no_grad():
                expected = relative_to_neutral(network, state, features[:, -3:], given, known, mask)
            values, states = exported(image, points, [neutral])
            np.testing.assert_allclose(values, expected, atol=1e-4)
            np.testing.assert_allclose(states, state, atol=1e-3)  # sums of 1,437 features, single precision


def test_other_feature_version_and_invalid_landmarks_are_rejected(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression import export

    export.export(run, tmp_path)
    exported = open_head(tmp_path, monkeypatch)
    points = np.full((1, 478, 3), np.nan)
    with pytest.raises(ValueError, match="expected finite landmarks"):
        exported(np.zeros((40, 40), np.uint8), points, [None])
    with pytest.raises(ValueError, match=r"shape \(n, 478, 3\), got \(1, 68, 3\)"):
        exported(np.zeros((40, 40), np.uint8), points[:, :68], [None])
    monkeypatch.setattr(export, "FEATURE_VERSION", head.FEATURE_VERSION + 1)
    export.export(run, tmp_path)
    versions = f"expected feature version '{head.FEATURE_VERSION}', got '{head.FEATURE_VERSION + 1}'"
    with pytest.raises(BundleError, match=f"{versions}; .*train the head again"):
        open_head(tmp_path, monkeypatch)
