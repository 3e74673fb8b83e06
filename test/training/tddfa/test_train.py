"""Training of the TDDFA network: renderings with ground truth, samples, shards, training runs and the export."""

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
from face_expr_ros.training.shard_files import finished_shards, shard_path
from face_expr_ros.training.tddfa import samples, shards
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.scenes import MARGIN, SIDE, Rendering, render_person

MODEL = open_face_model("open")
POINTS = learned_points(MODEL)
PERSPECTIVE = 6.0  # pixels: maximum error of the weak-perspective approximation at arm's length


@pytest.fixture(scope="module")
def renderings() -> list[Rendering]:
    return render_person(MODEL, POINTS, varied_appearance(5), np.random.default_rng(3), count=6)


def project_points(parameters: np.ndarray, size: int) -> np.ndarray:
    """Pixels (P, 2) of the learned points by TDDFA's formula for a crop of ``size`` pixels."""
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
    mirrored = POINTS.coefficients(coefficients)
    face, other = (POINTS.mean + np.tensordot(c, POINTS.basis, axes=1) for c in (coefficients, mirrored))
    np.testing.assert_allclose(other, face[POINTS.mirror] * [-1, 1, 1], atol=1e-4)


def test_parameters_project_the_points_to_their_rendered_pixels(renderings: list[Rendering]) -> None:
    for rendering in renderings:
        assert np.abs(project_points(rendering.parameters, SIDE) - rendering.points).mean() < PERSPECTIVE / 3
        assert np.abs(project_points(rendering.parameters, SIDE)[:68] - rendering.points[:68]).max() < PERSPECTIVE


def test_rendering_shows_the_face_centered_with_a_margin(renderings: list[Rendering]) -> None:
    for rendering in renderings:
        low, high = rendering.points[:68].min(axis=0), rendering.points[:68].max(axis=0)
        np.testing.assert_allclose((low + high) / 2, (SIDE - 1) / 2, atol=1.0)
        np.testing.assert_allclose((high - low).max() * np.sqrt(2) * MARGIN, SIDE, rtol=0.02)
        nose = np.round(rendering.points[30]).astype(int)  # the tip of the nose
        assert rendering.image[..., 3].max() == 255
        assert rendering.image.shape == (SIDE, SIDE, 4)
        assert rendering.image[tuple(nose[::-1])][3] > 0


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2])
def test_similarity_moves_points_and_parameters_consistently(renderings: list[Rendering], angle: float) -> None:
    linear = 0.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = np.column_stack([linear, [12.0, -7.0]])
    for rendering in renderings:
        parameters, points = samples.move(rendering.parameters, rendering.points, transform, 120)
        expected = project_points(rendering.parameters, SIDE) @ linear.T + transform[:, 2]
        np.testing.assert_allclose(project_points(parameters, 120), expected, atol=1e-3)
        np.testing.assert_allclose(points, rendering.points @ linear.T + transform[:, 2], atol=1e-3)


def test_mirrored_rendering_has_mirrored_ground_truth(renderings: list[Rendering]) -> None:
    for rendering in renderings:
        parameters, points = samples.mirror(rendering.parameters, rendering.points, POINTS)
        flipped = project_points(rendering.parameters, SIDE)[POINTS.mirror] * [-1, 1] + [SIDE - 1, 0]
        np.testing.assert_allclose(project_points(parameters, SIDE), flipped, atol=1e-2)
        back = samples.mirror(parameters, points, POINTS)
        np.testing.assert_allclose(back[0], rendering.parameters, atol=1e-4)
        np.testing.assert_allclose(back[1], rendering.points, atol=1e-4)


def test_samples_are_reproducible_and_some_show_no_face(
    renderings: list[Rendering], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_BACKGROUNDS", 4)
    names = ("image", "parameters", "points")
    shard = shards.Shard(*(np.stack([getattr(rendering, name) for rendering in renderings]) for name in names))
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
            assert np.abs(project_points(one.parameters, 120)[:68] - one.points[:68]).max() < PERSPECTIVE
    assert 45 <= faces < 60


def test_backgrounds_textures_and_degraded_images_have_the_given_size() -> None:
    rng = np.random.default_rng(8)
    for _ in range(40):
        images = [random_background(rng, 40), random_texture(rng, 40)]
        for image in [*images, degrade(images[0], rng)]:
            assert image.shape == (40, 40, 3)
            assert image.dtype == np.uint8


def test_incomplete_shards_are_not_listed(renderings: list[Rendering], tmp_path: Path) -> None:
    assert finished_shards(tmp_path) == []
    shard_path(tmp_path, 1).with_suffix(".part").mkdir()
    shards.write_shard(tmp_path, 0, renderings)
    (path,) = finished_shards(tmp_path)
    shard = shards.read_shard(path)
    np.testing.assert_array_equal(shard.images[3], renderings[3].image)
    np.testing.assert_array_equal(shard.parameters[3], renderings[3].parameters)
    np.testing.assert_array_equal(shard.points[3], renderings[3].points)


def test_same_appearance_and_seed_give_the_same_rendering(renderings: list[Rendering]) -> None:
    again = render_person(MODEL, POINTS, varied_appearance(5), np.random.default_rng(3), count=1)
    np.testing.assert_array_equal(again[0].parameters, renderings[0].parameters)
    np.testing.assert_array_equal(again[0].image, renderings[0].image)


def test_training_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("face_expr_ros.training.")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(train, ["tddfa", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "training requires PyTorch" in result.output
    assert not (tmp_path / "run").exists()


def test_learning_rate_warms_up_stays_constant_and_decays() -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.checkpoints_and_schedule import learning_rate_factor
    from face_expr_ros.training.tddfa.train import TrainingConfig

    config = TrainingConfig(steps=1000, warmup=100, decay=0.4)
    rates = [learning_rate_factor(step, config) for step in (0, 49, 99, 300, 600, 800, 999)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0025])


@pytest.mark.slow
def test_interrupted_run_resumes_and_its_export_gives_the_same_outputs(
    renderings: list[Rendering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.models.onnx_session import OnnxNetwork
    from face_expr_ros.training.tddfa import train as tddfa
    from face_expr_ros.training.tddfa.export import export

    monkeypatch.setattr(samples, "_BACKGROUNDS", 4)
    for number in range(3):
        shards.write_shard(tmp_path / "drawings", number, renderings)
    config = SimpleNamespace(batch=4, validate_every=2, save_every=1, workers=0, held_out=1)
    for steps in (2, 3):
        settings = tddfa.TrainingConfig(steps=steps, **vars(config))
        assert tddfa.train(tmp_path, tmp_path / "run", settings)["step"] == steps
    export(tmp_path / "run", tmp_path)
    trained = tddfa.averaged_network(tmp_path / "run")
    crops = np.random.default_rng(0).normal(0, 1, (2, 3, 120, 120)).astype(np.float32)
    with torch.no_grad():
        expected = trained.network(torch.from_numpy(crops)).numpy()
    exported = OnnxNetwork(tmp_path / "tddfa_open_mb05.onnx", ["input"])(crops)[0]
    np.testing.assert_allclose(exported, expected, atol=1e-4)
    assert expected.shape[1] == len(trained.mean) + 1 == len(trained.std) + 1
