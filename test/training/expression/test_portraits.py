"""Synthetic portraits for the expression head: expressions, rendering and shards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.geometry import project, to_camera
from face_expr_ros.core.types import Camera, FloatArray, Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import RIGID_POINTS, align
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.expression import expressions, samples, scenes, shards
from face_expr_ros.training.shard_files import finished_shards

MODEL = open_face_model("open")
NAMES = MODEL.expression_names
MOVES = [index for index, name in enumerate(NAMES) if "Look" not in name]
PEOPLE, PORTRAITS = 2, 6  # people per shard and portraits per person in portraits_folder


def as_dict(expression: FloatArray) -> dict[str, float]:
    return dict(zip(NAMES, expression.tolist(), strict=True))


@cache
def sampled(kind: str, count: int = 600) -> FloatArray:
    rng = np.random.default_rng(4)
    return np.array([expressions.sample_expression(rng, NAMES, kind) for _ in range(count)])


# Expressions


def test_every_blendshape_is_sampled_within_0_to_1() -> None:
    values = sampled("", 1500)
    assert values.min() == 0.0
    assert values.max() <= 1.0
    strong = (values > 0.3).sum(axis=0)
    assert {name for name, count in zip(NAMES, strong, strict=True) if count < 5} == set()


def test_neutral_expression_has_only_gaze() -> None:
    values = sampled(expressions.NEUTRAL)
    assert values[:, MOVES].max() == 0.0
    assert 0 < values.max() < 0.5


def test_single_expression_is_one_movement_of_one_or_both_sides() -> None:
    for values in map(as_dict, sampled(expressions.SINGLE)):
        shown = {name for name, value in values.items() if value > 0 and "Look" not in name and "Blink" not in name}
        movements = {name.removesuffix("Left").removesuffix("Right") for name in shown}
        assert len(movements - {"jawOpen"}) <= 1  # jawOpen accompanies tongueOut and mouthClose


@pytest.mark.parametrize("movement", ["jaw", "mouth"])
def test_jaw_and_mouth_move_to_one_side_only(movement: str) -> None:
    for values in map(as_dict, sampled("", 1500)):
        assert min(values[f"{movement}Left"], values[f"{movement}Right"]) == 0.0


def test_tongue_requires_an_open_jaw() -> None:
    tongues = [values for values in map(as_dict, sampled("", 1500)) if values["tongueOut"] > 0]
    assert len(tongues) > 10
    assert all(values["jawOpen"] >= 0.4 * values["tongueOut"] for values in tongues)


# Portraits and shards


@pytest.fixture(scope="module")
def shard(portraits_folder: Path) -> shards.Shard:
    return shards.read_shard(portraits_folder / "shard_00001")


def render_one(count: int = 3) -> list[scenes.Portrait]:
    detector = open_landmarks(LandmarksConfig())
    portraits = scenes.render_portraits(MODEL, detector, varied_appearance(3), np.random.default_rng(11), count)
    detector.close()
    return portraits


def test_portraits_are_reproducible_and_landmarks_are_near_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[tuple[FloatArray, Pose, Camera]] = []
    render = FaceRenderer.render

    def recorded(self: FaceRenderer, vertices: FloatArray, pose: Pose, camera: Camera, *others: Any) -> Any:
        rendered.append((vertices, pose, camera))
        return render(self, vertices, pose, camera, *others)

    monkeypatch.setattr(FaceRenderer, "render", recorded)
    first, second = render_one(), render_one()
    assert len(first) == len(second) == 3
    for one, two, (vertices, pose, camera) in zip(first, second, rendered, strict=False):
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.landmarks, two.landmarks)
        np.testing.assert_array_equal(one.expression, two.expression)
        points = MODEL.facemesh_points(vertices)
        truth = project(to_camera(points, pose), camera)
        distance = np.linalg.norm(one.landmarks[RIGID_POINTS, :2] - truth[RIGID_POINTS], axis=1)
        eyes = np.linalg.norm(truth[33] - truth[263])
        assert distance.mean() < 0.12 * eyes  # FaceMesh has errors and systematic offsets from the model's points
        assert one.image.shape == (scenes.SIDE, scenes.SIDE)


def test_shard_arrays_have_the_documented_shapes_and_types(shard: shards.Shard) -> None:
    count = len(shard.person)
    assert count == PEOPLE * PORTRAITS  # FaceMesh finds all of them
    assert shard.image.shape == (count, scenes.SIDE, scenes.SIDE)
    assert shard.image.dtype == np.uint8
    assert shard.landmarks.shape == (count, 478, 3)
    assert shard.expression.shape == (count, len(NAMES))
    assert shard.angles.shape == (count, 2)
    assert np.degrees(np.abs(shard.angles[:, 0])).max() <= 60.0 + 1e-3
    assert shard.person.tolist() == [2] * PORTRAITS + [3] * PORTRAITS
    assert samples.is_neutral(shard.expression, NAMES)[:3].all()


def test_yaw_of_the_landmarks_matches_the_rendered_yaw(shard: shards.Shard) -> None:
    canonical = MODEL.facemesh_points(MODEL.mean).astype(np.float64)
    yaw = [np.arcsin(-align(points, canonical).rotation[0, 2]) for points in shard.landmarks]
    assert np.degrees(np.abs(yaw - shard.angles[:, 0])).mean() < 8.0


def test_interrupted_rendering_leaves_no_incomplete_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "_render", stopped)
    with pytest.raises(KeyboardInterrupt):
        shards.render_shard(tmp_path, 0)
    assert finished_shards(tmp_path) == []


def test_full_disk_leaves_no_incomplete_shard(
    tmp_path: Path, shard: shards.Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    portrait = scenes.Portrait(shard.image[0], shard.landmarks[0], shard.expression[0], shard.angles[0])
    monkeypatch.setattr(shards, "_render", lambda *_: iter([(7, portrait)]))
    unfinished = tmp_path / "shard_00000.part"
    unfinished.mkdir()
    (unfinished / "angles.npy").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"angles|space|written"):
        shards.render_shard(tmp_path, 0)
    assert finished_shards(tmp_path) == []
    (unfinished / "angles.npy").unlink()
    shards.render_shard(tmp_path, 0)
    assert shards.read_shard(tmp_path / "shard_00000").person.tolist() == [7]


def test_existing_shards_are_kept_and_listed_in_the_manifest(
    portraits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PORTRAITS", PORTRAITS)
    folder = tmp_path / "copy"
    shutil.copytree(portraits_folder, folder)
    result = shards.synthesize(folder, count=2 * PEOPLE * PORTRAITS, processes=1, people=PEOPLE)
    count = sum(len(shards.read_shard(path).person) for path in finished_shards(folder))
    assert result == {"folder": str(folder), "drawings": count, "new": 0}
    manifest = json.loads((folder / shards.MANIFEST).read_text())
    assert manifest["expression"] == list(NAMES)
    assert sum(manifest["portraits"].values()) == count
