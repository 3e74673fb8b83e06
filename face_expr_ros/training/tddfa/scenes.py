"""Renders one person for training: a crop around the face with its coverage and ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import (
    FACING_CAMERA,
    crop_from_landmarks,
    pinhole_camera,
    project,
    rotation_from_euler,
    to_camera,
)
from face_expr_ros.core.types import Camera, FloatArray, Pose
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.synthetic.actor import random_expression, random_shape
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.materials import Materials
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene_with_coverage
from face_expr_ros.training.tddfa.points import LearnedPoints

SIDE = 160  # width and height of a rendering, pixels
MARGIN = 1.4  # factor from the crop of the 68 points to the rendering, for random rotations and shifts
_TEXTURE = 384
RandomLight = Callable[[np.random.Generator], Light]
_BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)


@dataclass(frozen=True)
class Rendering:
    """A rendered face with its ground truth.

    Attributes:
        image: (SIDE, SIDE, 4) uint8 BGR on black, and coverage.
        parameters: (12 + I + E,) row-major 3x4 [f R | t] with the whole image as TDDFA's crop and meters as the model's
            unit, then shape and expression.
        points: (P, 2) float32 true pixels of the learned points, with perspective.
    """

    image: NDArray[np.uint8]
    parameters: NDArray[np.float32]
    points: NDArray[np.float32]


def render_person(
    model: MorphableModel, points: LearnedPoints, appearance: Appearance, rng: np.random.Generator, count: int,
    materials: Materials | None = None,
) -> list[Rendering]:  # fmt: skip
    """Render one appearance ``count`` times with random shapes, expressions, poses and lights.

    Args:
        materials: photographed skins and environments; None paints the skin and uses studio light.
    """
    if materials is None:
        renderer = FaceRenderer(model, appearance, texture_width=_TEXTURE)
        return [_render(renderer, points, rng, Light.random) for _ in range(count)]
    renderer = materials.person(model, appearance, rng, _TEXTURE)
    return [_render(renderer, points, rng, materials.light) for _ in range(count)]


def _render(renderer: FaceRenderer, points: LearnedPoints, rng: np.random.Generator, light: RandomLight) -> Rendering:
    model = renderer.model
    shape = random_shape(rng, len(model.identity), spread=float(rng.uniform(0.8, 1.4)))
    expression = random_expression(rng, model.expression_names)
    pose = _random_pose(rng)
    vertices = model.vertices(shape, expression)
    camera = crop_camera(vertices[model.landmarks68], pose)
    face = SceneFace(renderer, vertices, pose)
    image, coverage = render_scene_with_coverage([face], camera, light(rng), _BLACK)
    pixels = project(to_camera(vertices[points.vertices], pose), camera)
    parameters = np.concatenate([_weak_perspective(pose, camera).ravel(), shape, expression])
    return Rendering(np.dstack([image, coverage]), parameters.astype(np.float32), pixels.astype(np.float32))


def _random_pose(rng: np.random.Generator) -> Pose:
    """A pose with yaw up to full profile; pitch and roll are about the camera's axes."""
    yaw = rng.uniform(-97, 97) if rng.random() < 0.65 else rng.normal(0, 25)
    pitch, roll = rng.normal(0, 14), rng.normal(0, 10)
    if rng.random() < 0.2:
        pitch = rng.uniform(-50, 50)
    turn = rotation_from_euler(float(np.radians(yaw)), 0.0, 0.0)
    nod = FACING_CAMERA @ rotation_from_euler(0.0, float(np.radians(pitch)), 0.0)
    tilt = FACING_CAMERA @ rotation_from_euler(0.0, 0.0, float(np.radians(roll)))
    in_view = FACING_CAMERA @ tilt @ nod @ FACING_CAMERA
    distance = float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
    return Pose(in_view @ turn, np.array([0.0, 0.0, distance]), metric=True)


def crop_camera(landmarks: FloatArray, pose: Pose) -> Camera:
    """A camera with the sellion on its optical axis and the face's crop, with its margin, as the image."""
    unit = pinhole_camera(SIDE, SIDE, 45.0)
    unit = replace(unit, matrix=np.diag([1.0, 1.0, 1.0]))
    crop = crop_from_landmarks(project(to_camera(landmarks, pose), unit) * 1e4)
    focal = SIDE / (MARGIN * crop.width / 1e4)
    center = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2]) / 1e4
    middle = (SIDE - 1) / 2 - focal * center
    matrix = np.array([[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]])
    return replace(unit, matrix=matrix)


def _weak_perspective(pose: Pose, camera: Camera) -> FloatArray:
    """(3, 4) as `geometry.weak_perspective`, for a face on the optical axis."""
    scale = camera.matrix[0, 0] / pose.position[2]
    u, v = camera.matrix[:2, 2]
    return np.column_stack([scale * (FACING_CAMERA @ pose.rotation), [u + 1, SIDE - v, 0.0]])
