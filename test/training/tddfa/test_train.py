"""What a network is trained on: drawings whose truth is known, and what samples make of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from face_expr_ros.cli.training import train
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.backgrounds import random_background, random_texture
from face_expr_ros.training.degradation import degrade
from face_expr_ros.training.tddfa import samples, shards
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.scenes import MARGIN, SIDE, Drawing, draw_person

MODEL = open_face_model("open")
POINTS = learned_points(MODEL)
PERSPECTIVE = 6.0  # pixels of a drawing that a weak perspective may be off at arm's length


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    return draw_person(MODEL, POINTS, varied_appearance(5), np.random.default_rng(3), count=6)


def placed(parameters: np.ndarray, size: int) -> np.ndarray:
    """Pixels (P, 2) of the learned points by TDDFA's formula for a crop of a size."""
    matrix = parameters[:12].reshape(3, 4)
    points = POINTS.mean + np.tensordot(parameters[12:], POINTS.basis, axes=1)
    x, y, _ = matrix[:, :3] @ points.T + matrix[:, 3:]
    return np.column_stack([x - 1, size - y])


def test_learned_points_begin_with_the_68_and_mirror_each_other() -> None:
    assert POINTS.vertices[:68].tolist() == MODEL.landmarks68.tolist()
    assert (POINTS.mirror[POINTS.mirror] == np.arange(len(POINTS.mirror))).all()
    np.testing.assert_allclose(POINTS.mean[POINTS.mirror], POINTS.mean * [-1, 1, 1], atol=2e-6)


def test_coefficients_of_a_mirrored_face_give_the_mirrored_points() -> None:
    rng = np.random.default_rng(0)
    coefficients = rng.normal(0, 1, len(POINTS.basis)).astype(np.float32)
    mirrored = POINTS.coefficient_sign * coefficients[POINTS.coefficient_mirror]
    face, other = (POINTS.mean + np.tensordot(c, POINTS.basis, axes=1) for c in (coefficients, mirrored))
    np.testing.assert_allclose(other, face[POINTS.mirror] * [-1, 1, 1], atol=1e-4)


def test_a_drawing_s_parameters_put_the_points_where_they_were_drawn(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        assert np.abs(placed(drawing.parameters, SIDE) - drawing.points).mean() < PERSPECTIVE / 3
        assert np.abs(placed(drawing.parameters, SIDE)[:68] - drawing.points[:68]).max() < PERSPECTIVE


def test_a_drawing_shows_the_face_in_the_middle_with_a_margin(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        low, high = drawing.points[:68].min(axis=0), drawing.points[:68].max(axis=0)
        np.testing.assert_allclose((low + high) / 2, (SIDE - 1) / 2, atol=1.0)
        np.testing.assert_allclose((high - low).max() * np.sqrt(2) * MARGIN, SIDE, rtol=0.02)
        middle = np.round(drawing.points[30]).astype(int)  # the tip of the nose
        assert drawing.image[..., 3].max() == 255
        assert drawing.image.shape == (SIDE, SIDE, 4)
        assert drawing.image[tuple(middle[::-1])][3] > 0


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_moving_a_drawing_moves_points_and_parameters_alike(drawings: list[Drawing], angle: float) -> None:
    linear = 0.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = np.column_stack([linear, [12.0, -7.0]])
    for drawing in drawings:
        parameters, points = samples.move(drawing.parameters, drawing.points, transform, 120)
        wanted = placed(drawing.parameters, SIDE) @ linear.T + transform[:, 2]
        np.testing.assert_allclose(placed(parameters, 120), wanted, atol=1e-3)
        np.testing.assert_allclose(points, drawing.points @ linear.T + transform[:, 2], atol=1e-3)


def test_the_mirror_image_of_a_drawing_has_the_mirrored_truth(drawings: list[Drawing]) -> None:
    for drawing in drawings:
        parameters, points = samples.mirror(drawing.parameters, drawing.points, POINTS)
        flipped = placed(drawing.parameters, SIDE)[POINTS.mirror] * [-1, 1] + [SIDE - 1, 0]
        np.testing.assert_allclose(placed(parameters, SIDE), flipped, atol=1e-2)
        back = samples.mirror(parameters, points, POINTS)
        np.testing.assert_allclose(back[0], drawing.parameters, atol=1e-4)
        np.testing.assert_allclose(back[1], drawing.points, atol=1e-4)


def test_samples_are_the_same_for_the_same_seed_and_some_show_no_face(
    drawings: list[Drawing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_BACKGROUNDS", 4)
    names = ("image", "parameters", "points")
    shard = shards.Shard(*(np.stack([getattr(drawing, name) for drawing in drawings]) for name in names))
    first, second = (samples.Sampler(POINTS, 120, seed=2) for _ in range(2))
    faces = 0
    for index in range(60):
        one, two = first(shard, index % 6), second(shard, index % 6)
        assert one.image.shape == (120, 120, 3)
        assert one.image.dtype == np.uint8
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.parameters, two.parameters)
        if one.face:
            faces += 1
            assert np.abs(placed(one.parameters, 120)[:68] - one.points[:68]).max() < PERSPECTIVE
    assert 45 <= faces < 60


def test_backgrounds_textures_and_bad_pictures_keep_their_size() -> None:
    rng = np.random.default_rng(8)
    for _ in range(40):
        pictures = [random_background(rng, 40), random_texture(rng, 40)]
        for picture in [*pictures, degrade(pictures[0], rng)]:
            assert picture.shape == (40, 40, 3)
            assert picture.dtype == np.uint8


def test_a_shard_is_there_completely_or_not_at_all(drawings: list[Drawing], tmp_path: Path) -> None:
    assert shards.finished_shards(tmp_path) == []
    shards.shard_path(tmp_path, 1).with_suffix(".part").mkdir()
    shards.write_shard(tmp_path, 0, drawings)
    (path,) = shards.finished_shards(tmp_path)
    shard = shards.read_shard(path)
    np.testing.assert_array_equal(shard.images[3], drawings[3].image)
    np.testing.assert_array_equal(shard.parameters[3], drawings[3].parameters)
    np.testing.assert_array_equal(shard.points[3], drawings[3].points)


def test_the_same_look_and_seed_are_drawn_alike(drawings: list[Drawing]) -> None:
    again = draw_person(MODEL, POINTS, varied_appearance(5), np.random.default_rng(3), count=1)
    np.testing.assert_array_equal(again[0].parameters, drawings[0].parameters)
    np.testing.assert_array_equal(again[0].image, drawings[0].image)


def test_training_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("face_expr_ros.training.")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(train, ["tddfa", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "training needs PyTorch" in result.output
    assert not (tmp_path / "run").exists()


def test_the_learning_rate_rises_stays_and_falls() -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.running import schedule
    from face_expr_ros.training.tddfa.train import TrainingConfig

    config = TrainingConfig(steps=1000, warmup=100, decay=0.4)
    rates = [schedule(step, config) for step in (0, 49, 99, 300, 600, 800, 999)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0025])


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_its_export_answers_as_the_network(
    drawings: list[Drawing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.models.onnx_session import OnnxNetwork
    from face_expr_ros.training.tddfa import train as tddfa
    from face_expr_ros.training.tddfa.export import export

    monkeypatch.setattr(samples, "_BACKGROUNDS", 4)
    for number in range(3):
        shards.write_shard(tmp_path / "drawings", number, drawings)
    config = SimpleNamespace(batch=4, validate_every=2, save_every=1, workers=0, held_out=1)
    for steps in (2, 3):
        settings = tddfa.TrainingConfig(steps=steps, **vars(config))
        assert tddfa.train(tmp_path / "drawings", tmp_path / "run", settings)["step"] == steps
    export(tmp_path / "run", tmp_path)
    network, mean, std = tddfa.averaged_network(tmp_path / "run")
    crops = np.random.default_rng(0).normal(0, 1, (2, 3, 120, 120)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(crops)).numpy()
    given = OnnxNetwork(tmp_path / "tddfa_open_mb05.onnx", ["input"])(crops)[0]
    np.testing.assert_allclose(given, wanted, atol=1e-4)
    assert wanted.shape[1] == len(mean) + 1 == len(std) + 1
