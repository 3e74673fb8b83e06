"""Renders of many people with their FaceMesh landmarks, to fit and validate the embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import crop_from_landmarks
from face_expr_ros.core.types import Camera, Frame, Pose, Roi, Track
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.perception.landmarks import LandmarkDetector, open_landmarks
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer

IMAGE_SIZE = 640
FOCAL_LENGTH = 900.0  # pixels
PEOPLE_PER_APPEARANCE = 10
_TEXTURE_WIDTH = 512
_SHAPE_DEVIATION = 0.8
# Standard deviation and limit, degrees.
_YAW, _PITCH, _ROLL = (16.0, 32.0), (11.0, 26.0), (6.0, 15.0)
# Maximum values of blendshapes in the third of the renders with expressions, which separate lids and lips.
_MOVES = {
    "jawOpen": 0.9, "eyeBlinkLeft": 0.7, "eyeBlinkRight": 0.7, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8,
    "mouthFunnel": 0.6, "mouthPucker": 0.7, "mouthUpperUpLeft": 0.7, "mouthUpperUpRight": 0.7,
    "mouthLowerDownLeft": 0.7, "mouthLowerDownRight": 0.7, "browInnerUp": 0.7, "eyeWideLeft": 0.8,
    "eyeWideRight": 0.8, "mouthStretchLeft": 0.6, "mouthStretchRight": 0.6,
}  # fmt: skip


@dataclass(frozen=True)
class Observation:
    """One render on which FaceMesh found the face.

    Attributes:
        pixels: (V, 2) float32 pixels of the model's vertices, the center of the first pixel is (0, 0).
        landmarks: (478, 2) float32 pixels of the FaceMesh landmarks.
        millimeters: size of a pixel at the distance of the face.
        neutral: whether the expression is zero.
    """

    pixels: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    millimeters: float
    neutral: bool


def observe(model: MorphableModel, count: int, seed: int) -> Iterator[Observation]:
    """Render ``count`` faces with random identity, light, pose and expression, and yield those that FaceMesh finds."""
    rng = np.random.default_rng(seed)
    middle = (IMAGE_SIZE - 1) / 2
    matrix = np.array([[FOCAL_LENGTH, 0.0, middle], [0.0, FOCAL_LENGTH, middle], [0.0, 0.0, 1.0]])
    camera = Camera(IMAGE_SIZE, IMAGE_SIZE, matrix, np.zeros(0), metric=True)
    finder = open_landmarks(LandmarksConfig())
    for k in range(count):
        if k % PEOPLE_PER_APPEARANCE == 0:
            appearance = Appearance.random(int(rng.integers(1 << 30)))
            renderer = FaceRenderer(model, appearance, texture_width=_TEXTURE_WIDTH)
        neutral = bool(rng.uniform() < 0.65)
        expression = np.zeros(len(model.expression_names)) if neutral else _sample_expression(rng, model)
        vertices = model.vertices(_clipped(rng, _SHAPE_DEVIATION, 2.5, len(model.identity)), expression)
        pose = _sample_pose(rng)
        image = renderer.render(vertices, pose, camera, Light.random(rng))
        points = vertices @ pose.rotation.T + pose.position
        pixels = (FOCAL_LENGTH * points[:, :2] / points[:, 2:] + middle).astype(np.float32)
        crop = crop_from_landmarks(pixels[model.landmarks68])
        landmarks = _find(finder, Frame(image, k, "camera", camera), crop)
        if landmarks is not None:
            yield Observation(pixels, landmarks, 1e3 * float(pose.position[2]) / FOCAL_LENGTH, neutral)
    finder.close()


def _find(finder: LandmarkDetector, frame: Frame, crop: Roi) -> NDArray[np.float32] | None:
    """The landmarks after three passes; each pass crops the image around the landmarks of the previous one."""
    finder.reset()
    track = Track("f1", crop, None, fresh=False)
    (found,) = [finder(frame, [track]) for _ in range(3)][-1]
    return None if found is None else found.points[:, :2]


def _sample_expression(rng: np.random.Generator, model: MorphableModel) -> NDArray[np.float64]:
    expression = np.zeros(len(model.expression_names))
    for name, highest in _MOVES.items():
        if rng.uniform() < 0.3:
            expression[model.expression_names.index(name)] = rng.uniform(0.0, highest)
    return expression


def _sample_pose(rng: np.random.Generator) -> Pose:
    yaw, pitch, roll = (_clipped(rng, *limits, 1)[0] for limits in (_YAW, _PITCH, _ROLL))
    turn = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    depth = rng.uniform(0.45, 0.75)
    position = np.array([rng.uniform(-0.04, 0.04), rng.uniform(-0.05, 0.0), depth])
    return Pose(np.diag([1.0, -1.0, -1.0]) @ turn, position, metric=True)


def _clipped(rng: np.random.Generator, deviation: float, limit: float, count: int) -> NDArray[np.float64]:
    return np.clip(rng.normal(0.0, deviation, count), -limit, limit)
