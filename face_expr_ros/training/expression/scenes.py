"""Renders portraits of one person with many expressions and finds their FaceMesh landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import crop_from_landmarks, project, rotation_from_euler, rotation_to_axis, to_camera
from face_expr_ros.core.types import Camera, FloatArray, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.perception.landmarks import LandmarkDetector
from face_expr_ros.synthetic.actor import random_shape
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.materials import Materials
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.training.backgrounds import random_background
from face_expr_ros.training.degradation import degrade
from face_expr_ros.training.expression.expressions import NEUTRAL, sample_expression

SIDE = 256  # width and height of a portrait, pixels
_TEXTURE = 448
_FIELD_WIDTH = (0.24, 0.32)  # range of the width of a portrait at the face, meters
_DEGRADED = 0.65  # fraction of the portraits that are degraded
_NEUTRAL_COUNT = 3  # neutral portraits per person


@dataclass(frozen=True)
class Portrait:
    """A synthetic face with the landmarks that FaceMesh found.

    Attributes:
        image: (SIDE, SIDE) uint8, gray.
        landmarks: (478, 3) float32 FaceMesh landmarks, pixels of the image.
        expression: (E,) float32 true blendshapes, 0..1.
        angles: (2,) float32 true yaw and pitch relative to the ray from the camera to the face, radians.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]


def render_portraits(
    model: MorphableModel, detector: LandmarkDetector, appearance: Appearance, rng: np.random.Generator, count: int,
    materials: Materials | None = None,
) -> list[Portrait]:  # fmt: skip
    """Render ``count`` portraits of one person, the first three neutral; those without landmarks are left out.

    Args:
        materials: photographed skins and environments; None paints the skin and uses studio light.
    """
    if materials is None:
        renderer = FaceRenderer(model, appearance, texture_width=_TEXTURE)
    else:
        renderer = materials.person(model, appearance, rng, _TEXTURE)
    shape = random_shape(rng, len(model.identity), spread=float(rng.uniform(0.7, 1.2)))
    kinds = [NEUTRAL] * _NEUTRAL_COUNT + [""] * (count - _NEUTRAL_COUNT)
    portraits = (_render(renderer, detector, rng, shape, kind, materials) for kind in kinds)
    return [portrait for portrait in portraits if portrait is not None]


def _render(
    renderer: FaceRenderer, detector: LandmarkDetector, rng: np.random.Generator, shape: FloatArray, kind: str,
    materials: Materials | None,
) -> Portrait | None:  # fmt: skip
    model = renderer.model
    expression = sample_expression(rng, model.expression_names, kind)
    vertices = model.vertices(shape, expression)
    yaw, pitch, roll = random_angles(rng)
    pose = _random_pose(rng, yaw, pitch, roll)
    camera = _crop_camera(rng, pose)
    scene = (Light.random(rng), random_background(rng, SIDE)) if materials is None else materials.scene(rng, SIDE)
    image = renderer.render(vertices, pose, camera, *scene)
    if rng.random() < _DEGRADED:
        image = degrade(image, rng)
    crop = crop_from_landmarks(project(to_camera(vertices[model.landmarks68], pose), camera))
    landmarks = _find_landmarks(detector, image, camera, _jitter(rng, crop), roll)
    if landmarks is None:
        return None
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    angles = np.array([yaw, pitch], np.float32)
    return Portrait(gray, landmarks.points.astype(np.float32), expression.astype(np.float32), angles)


def random_angles(rng: np.random.Generator) -> tuple[float, float, float]:
    """Yaw within 60 degrees, pitch and roll in natural ranges; radians."""
    yaw = rng.uniform(-60, 60) if rng.random() < 0.5 else rng.normal(0, 20)
    pitch = rng.uniform(-35, 35) if rng.random() < 0.3 else rng.normal(0, 12)
    yaw, pitch, roll = np.radians([yaw, pitch, rng.normal(0, 12)])
    return float(yaw), float(pitch), float(roll)


def _random_pose(rng: np.random.Generator, yaw: float, pitch: float, roll: float) -> Pose:
    """A pose with angles relative to the ray to the face, 0.3 to 2.5 m away, up to 20 degrees off the optical axis."""
    distance = float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    offset = np.clip(rng.normal(0, 0.15, 2), -0.36, 0.36)
    position = distance * np.append(offset, 1.0)
    return Pose(rotation_to_axis(position).T @ rotation_from_euler(yaw, pitch, roll), position, metric=True)


def _crop_camera(rng: np.random.Generator, pose: Pose) -> Camera:
    """A camera whose image is a crop around the face, slightly off center."""
    focal = SIDE / float(rng.uniform(*_FIELD_WIDTH)) * pose.position[2]
    middle = pose.position - 0.03 * pose.rotation[:, 1] + 0.01 * pose.rotation[:, 2]
    center = (SIDE - 1) / 2 + rng.normal(0, 0.03, 2) * SIDE - focal * middle[:2] / middle[2]
    matrix = np.array([[focal, 0.0, center[0]], [0.0, focal, center[1]], [0.0, 0.0, 1.0]])
    return Camera(SIDE, SIDE, matrix, np.zeros(0), metric=True)


def _jitter(rng: np.random.Generator, crop: Roi) -> Roi:
    """A crop with random errors of position and size, as from a detector."""
    side = crop.width * float(np.exp(rng.normal(0, 0.05)))
    x, y = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2]) + rng.normal(0, 0.03, 2) * side
    return Roi(x - side / 2, y - side / 2, side, side)


def _find_landmarks(
    detector: LandmarkDetector, image: NDArray[np.uint8], camera: Camera, crop: Roi, roll: float
) -> Landmarks | None:
    """FaceMesh landmarks from a detected crop, as in the first frame of a track."""
    track = Track("", crop, landmarks=None, fresh=True, roll=roll)
    return detector(Frame(image, 0, "", camera), [track])[0]
