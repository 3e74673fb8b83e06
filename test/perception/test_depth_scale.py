"""Distances from depth images: accurate with a structured-light camera, unchanged where the depth image is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.depth_camera import as_message_values, exact_depth, structured_light

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import DepthImage, Face, Frame, Pose
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.synthetic import actor
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene

CAMERA = pinhole_camera(640, 480, 45.0)
FRAME_NS = 33_000_000
PEOPLE = 6
Depth = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A rendered person: the image, what a structured-light camera measures in meters, and the true position."""

    image: NDArray[np.uint8]
    depth: Depth
    position: NDArray[np.floating]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(PerceptionConfig())


@pytest.fixture(scope="module")
def scenes(pipeline: Pipeline) -> list[Scene]:
    return [scene(pipeline, seed) for seed in range(PEOPLE)]


def scene(pipeline: Pipeline, seed: int) -> Scene:
    model, rng = pipeline.model, np.random.default_rng(seed)
    renderer = FaceRenderer(model, Appearance.random(100 + seed), texture_width=256)
    z = rng.uniform(0.45, 1.2)
    position = np.array([rng.uniform(-0.15, 0.15) * z, rng.uniform(-0.1, 0.1) * z, z])
    pose = Pose(rotation_from_euler(rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), 0.1), position, metric=True)
    shape = actor.random_shape(rng, len(model.identity), 1.0)
    people = [SceneFace(renderer, model.vertices(shape, actor.random_expression(rng, model.expression_names)), pose)]
    return Scene(render_scene(people, CAMERA), structured_light(exact_depth(people, CAMERA), CAMERA, rng), position)


def found(pipeline: Pipeline, image: NDArray[np.uint8], depth: Depth | None, delay: int = 0, frames: int = 3) -> Face:
    """The face in the last of some frames; the depth images arrive ``delay`` frames late."""
    pipeline.reset()
    for number in range(frames):
        frame = Frame(image, number * FRAME_NS, "c", CAMERA)
        if depth is not None and number >= delay:
            values = DepthImage(as_message_values(depth), 0.001, (number - delay) * FRAME_NS, (640, 480))
            frame = replace(frame, depth=values)
        faces = pipeline(frame)
    (face,) = faces
    return face


def distance(face: Face) -> float:
    return float(np.linalg.norm(face.fit.pose.position))


def error(face: Face, scene: Scene) -> float:
    """Of the distance, relative."""
    return distance(face) / float(np.linalg.norm(scene.position)) - 1.0


def test_the_error_of_the_distance_is_below_one_percent(pipeline: Pipeline, scenes: list[Scene]) -> None:
    errors = []
    for one in scenes:
        face = found(pipeline, one.image, one.depth)
        assert face.fit.pose.depth_used
        errors.append(abs(error(face, one)))
    without = [abs(error(found(pipeline, one.image, None), one)) for one in scenes]
    print(f"with depth {100 * np.mean(errors):.2f} %, without {100 * np.mean(without):.2f} %")
    assert np.mean(errors) < 0.01
    assert max(errors) < 0.02
    assert np.mean(errors) < np.mean(without) / 2


@pytest.mark.slow
def test_the_figure_of_the_documentation(pipeline: Pipeline) -> None:
    """24 people; docs/tuning.md has the printed numbers."""
    people = [scene(pipeline, seed) for seed in range(24)]
    errors = [abs(error(found(pipeline, one.image, one.depth), one)) for one in people]
    without = [abs(error(found(pipeline, one.image, None), one)) for one in people]
    print(f"with depth {100 * np.mean(errors):.2f} %, at most {100 * max(errors):.2f} %")
    print(f"without {100 * np.mean(without):.2f} %, at most {100 * max(without):.2f} %")
    assert np.mean(errors) < 0.005
    assert np.mean(errors) < np.mean(without) / 5


WRONG: dict[str, Callable[[Scene, np.random.Generator], Depth]] = {
    "a flat surface at the face": lambda scene, rng: np.full((480, 640), scene.position[2] - 0.02, np.float32),
    "the wall behind": lambda scene, rng: np.full((480, 640), 2.0, np.float32),
    "half the distance": lambda scene, rng: scene.depth * np.float32(0.5),
    "tenths of a millimeter": lambda scene, rng: scene.depth * np.float32(10),
    "noise": lambda scene, rng: rng.uniform(0.3, 3.0, (480, 640)).astype(np.float32),
    "holes": lambda scene, rng: np.full((480, 640), np.nan, np.float32),
    "a hand before the face": lambda scene, rng: np.minimum(
        np.nan_to_num(scene.depth, nan=9.0), np.float32(scene.position[2] - 0.1)
    ),
    "not aligned": lambda scene, rng: np.roll(scene.depth, 120, axis=1),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_depth_image_is_not_used(pipeline: Pipeline, scenes: list[Scene], kind: str) -> None:
    for number, one in enumerate(scenes[:2]):
        wrong = WRONG[kind](one, np.random.default_rng(number))
        face = found(pipeline, one.image, wrong)
        assert not face.fit.pose.depth_used
        assert distance(face) == distance(found(pipeline, one.image, None))


def test_a_depth_image_that_arrives_late_is_compared_with_its_own_frame(
    pipeline: Pipeline, scenes: list[Scene]
) -> None:
    assert not found(pipeline, scenes[0].image, scenes[0].depth, delay=2, frames=2).fit.pose.depth_used
    face = found(pipeline, scenes[0].image, scenes[0].depth, delay=2, frames=5)
    assert face.fit.pose.depth_used
    assert abs(error(face, scenes[0])) < 0.02


STAMPS: dict[str, Any] = {  # of the color and the depth image of each frame
    "zero": lambda number: (0, 0),
    "standing": lambda number: (9 * FRAME_NS, 9 * FRAME_NS),
    "zero of the depth images only": lambda number: ((9 + number) * FRAME_NS, 0),
    "zero now and then": lambda number: ((9 + number) * FRAME_NS * (number != 1),) * 2,
}


@pytest.mark.parametrize("kind", STAMPS)
def test_irregular_stamps_do_not_prevent_the_use_of_depth(pipeline: Pipeline, scenes: list[Scene], kind: str) -> None:
    pipeline.reset()
    values = as_message_values(scenes[0].depth)
    for number in range(4):
        color_ns, depth_ns = STAMPS[kind](number)
        depth = DepthImage(values, 0.001, depth_ns, (640, 480))
        (face,) = pipeline(Frame(scenes[0].image, color_ns, "c", CAMERA, number * FRAME_NS, depth if number else None))
    assert face.fit.pose.depth_used
    assert abs(error(face, scenes[0])) < 0.01


def test_the_scale_of_a_face_is_kept_without_further_depth_images(pipeline: Pipeline, scenes: list[Scene]) -> None:
    with_depth = found(pipeline, scenes[0].image, scenes[0].depth)
    for number in range(3, 6):
        (face,) = pipeline(Frame(scenes[0].image, number * FRAME_NS, "c", CAMERA))
    assert face.fit.pose.depth_used
    assert distance(face) == pytest.approx(distance(with_depth), rel=0.01)


def test_a_depth_image_of_another_resolution_is_scaled() -> None:
    depth = DepthImage(np.arange(12, dtype=np.uint16).reshape(3, 4) + 1000, 0.001, 0, (640, 480))
    pixels = np.array([[0.0, 0.0], [639.0, 479.0], [-1.0, 0.0], [640.0, 0.0], [np.nan, 1.0]])
    np.testing.assert_allclose(depth.at(pixels), [1.0, 1.011, np.nan, np.nan, np.nan])
