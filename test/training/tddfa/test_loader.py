"""Batches from several folders of shards, and runs that continue from an exported network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.tddfa import samples, shards
from face_expr_ros.training.tddfa.config import TrainingConfig, read_training_config
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.scenes import SIDE, Rendering

torch = pytest.importorskip("torch")

POINTS = learned_points(open_face_model("open"))
ROOT = Path(__file__).parents[3]
SIZE = len(POINTS.basis) + 12


def write(folder: Path, number: int, mark: float) -> None:
    """A shard of four drawings whose first point carries a mark."""
    points = np.full((len(POINTS.vertices), 2), mark, np.float32)
    parameters = np.zeros(SIZE, np.float32)
    parameters[[0, 5, 10]] = 1.0
    drawing = Rendering(np.full((SIDE, SIDE, 4), 200, np.uint8), parameters, points)
    shards.write_shard(folder, number, [drawing] * 4)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(samples, "_BACKGROUNDS", 2)
    for folder in ("drawings", "portraits"):
        for number in range(3):
            write(tmp_path / folder, number, 50.0)
    return tmp_path


def batches(data: Path, config: TrainingConfig, seed: int, held_out: bool = False) -> Iterator[Any]:
    from face_expr_ros.training.tddfa.loader import Batches, sources_of

    return iter(Batches(sources_of(data, config), POINTS, config, seed, held_out))


def test_the_same_seed_gives_the_same_batches(data: Path) -> None:
    config = TrainingConfig(batch=6, held_out=1)
    first, second, other = (batches(data, config, seed) for seed in (3, 3, 4))
    for _ in range(2):
        one, two, three = next(first), next(second), next(other)
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left, right)
        assert (one[0] != three[0]).any()
    assert one[0].shape == (6, 120, 120, 3)
    assert one[1].shape == (6, SIZE)


def test_held_out_shards_and_shares(data: Path) -> None:
    from face_expr_ros.training.tddfa.loader import sources_of

    sources = sources_of(data, TrainingConfig(held_out=2, portrait_share=0.25))
    assert dict(sources.shares) == {"drawings": 0.75, "portraits": 0.25}
    assert [path.name for path in sources.seen("portraits")] == ["shard_00002"]
    assert [path.name for path in sources.unseen("portraits")] == ["shard_00000", "shard_00001"]
    write(data / "portraits", 3, 1.0)  # a shard that is written while training goes on
    assert len(sources.seen("portraits")) == 2


def test_a_folder_without_shards_is_left_out(data: Path) -> None:
    config = TrainingConfig(batch=4, held_out=3)  # both folders: nothing to train on
    write(data / "drawings", 3, 50.0)
    assert next(batches(data, config, 1))[0].shape[0] == 4


def test_an_exported_network_can_be_continued(data: Path) -> None:
    from face_expr_ros.training.tddfa import train as tddfa
    from face_expr_ros.training.tddfa.export import export, write_network
    from face_expr_ros.training.tddfa.initial import load_exported, read_whitening
    from face_expr_ros.training.tddfa.network import build_network

    torch.manual_seed(0)
    outputs = SIZE + 1
    path = data / "first.onnx"
    network = build_network(outputs).eval()
    write_network(network, path)
    np.savez(data / "first.npz", mean=np.zeros(SIZE, np.float32), std=np.ones(SIZE, np.float32))
    crops = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 3, 120, 120)).astype(np.float32))
    again = build_network(outputs, normalized=False).eval()
    load_exported(again, path)
    torch.testing.assert_close(again(crops), network(crops), atol=1e-4, rtol=1e-4)
    mean, std = read_whitening(path, 120)
    assert mean.shape == std.shape == (SIZE,)

    config = {
        "batch": 4,
        "validate_every": 1,
        "save_every": 1,
        "workers": 0,
        "held_out": 1,
        "initial": str(path),
        "bfloat16": True,
    }
    for steps in (1, 2):
        result = tddfa.train(data, data / "run", TrainingConfig(steps=steps, **config))
        assert result["step"] == steps
    files = export(data / "run", data)
    assert set(files) == {"tddfa_open_mb05.onnx", "tddfa_open_mb05.tflite", "tddfa_open_mb05.npz"}
    trained = tddfa.averaged_network(data / "run").network
    third = build_network(outputs, normalized=False).eval()
    load_exported(third, data / "tddfa_open_mb05.onnx")
    torch.testing.assert_close(third(crops), trained(crops), atol=1e-4, rtol=1e-4)


def test_a_network_for_smaller_crops_continues_from_one_for_larger_ones(data: Path) -> None:
    from face_expr_ros.training.tddfa.export import write_network
    from face_expr_ros.training.tddfa.initial import load_exported
    from face_expr_ros.training.tddfa.network import build_network

    torch.manual_seed(1)
    large = build_network(9, normalized=False).eval()
    write_network(large, data / "large.onnx")
    small = build_network(9, normalized=False, side=80).eval()
    load_exported(small, data / "large.onnx")
    crops = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 3, 80, 80)).astype(np.float32))
    torch.testing.assert_close(small(crops), large(crops), atol=1e-4, rtol=1e-4)


def test_whitening_scales_points_with_the_crop_size() -> None:
    from face_expr_ros.training.tddfa.initial import rescaled

    rng = np.random.default_rng(0)
    mean, std, said = (rng.normal(size=SIZE).astype(np.float32) for _ in range(3))
    mean[11] = 0.0
    places = []
    for side in (120, 80):
        scaled = rescaled(mean, std, side / 120)
        matrix = (said * scaled[1] + scaled[0])[:12].reshape(3, 4)
        x, y, _ = matrix @ np.array([0.1, -0.2, 0.3, 1.0])
        places.append(np.array([x - 1, side - y]) / side)
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)
    back = rescaled(*rescaled(mean, std, 80 / 120), 120 / 80)
    np.testing.assert_allclose(back, (mean, std), atol=1e-5)


def test_another_network_cannot_be_continued(data: Path) -> None:
    from face_expr_ros.training.tddfa.export import write_network
    from face_expr_ros.training.tddfa.initial import load_exported
    from face_expr_ros.training.tddfa.network import build_network

    write_network(build_network(7).eval(), data / "other.onnx")
    with pytest.raises(ValueError, match="expected layers of the shapes"):
        load_exported(build_network(8, normalized=False), data / "other.onnx")


def test_the_settings_in_the_package_can_be_read() -> None:
    path = ROOT / "config/train_tddfa.yaml"
    config = read_training_config(path)
    named = [line.split(":")[0] for line in path.read_text().splitlines() if not line.startswith("#")]
    assert named == list(vars(config))


@pytest.mark.parametrize(("text", "words"), [("steps: 0", "steps"), ("stepz: 3", "stepz"), ("[1]", "got list")])
def test_settings_that_cannot_be_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "train.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_training_config(tmp_path / "train.yaml")
