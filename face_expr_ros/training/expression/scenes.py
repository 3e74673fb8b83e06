"""One person in many expressions, as the camera sees it and as FaceMesh reads it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import crop_from_landmarks, project, rotation_from_euler, to_camera, turn_to_axis
from face_expr_ros.core.types import Camera, FloatArray, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.perception.landmarks import LandmarkDetector
from face_expr_ros.synthetic.actor import random_shape
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.training.backgrounds import random_background
from face_expr_ros.training.degradation import degrade
from face_expr_ros.training.expression.expressions import REST, drawn_expression

SIDE = 256  # pixels of a picture
_TEXTURE = 448
_SHOWN = (0.24, 0.32)  # meters across a picture, at the face
_DEGRADED = 0.65  # of the pictures
_RESTS = 3  # of a person's expressions, to be compared with


@dataclass(frozen=True)
class Portrait:
    """A drawn face that FaceMesh has found.

    Attributes:
        image: (SIDE, SIDE) uint8, gray.
        landmarks: (478, 3) float32 FaceMesh's points in its pixels.
        expression: (E,) float32 what was drawn, 0..1.
        angles: (2,) float32 yaw and pitch as seen along the ray to the face, radians.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]


def draw_portraits(
    model: MorphableModel, detector: LandmarkDetector, appearance: Appearance, rng: np.random.Generator, count: int
) -> list[Portrait]:
    """One person ``count`` times, the first few at rest; fewer where FaceMesh does not find the face."""
    renderer = FaceRenderer(model, appearance, texture_width=_TEXTURE)
    shape = random_shape(rng, len(model.identity), spread=float(rng.uniform(0.7, 1.2)))
    kinds = [REST] * _RESTS + [""] * (count - _RESTS)
    drawn = (_draw(renderer, detector, rng, shape, kind) for kind in kinds)
    return [portrait for portrait in drawn if portrait is not None]


def _draw(
    renderer: FaceRenderer, detector: LandmarkDetector, rng: np.random.Generator, shape: FloatArray, kind: str
) -> Portrait | None:
    model = renderer.model
    expression = drawn_expression(rng, model.expression_names, kind)
    vertices = model.vertices(shape, expression)
    yaw, pitch, roll = random_angles(rng)
    pose = _random_pose(rng, yaw, pitch, roll)
    camera = _camera_on(rng, pose)
    image = renderer.render(vertices, pose, camera, Light.random(rng), random_background(rng, SIDE))
    if rng.random() < _DEGRADED:
        image = degrade(image, rng)
    crop = crop_from_landmarks(project(to_camera(vertices[model.landmarks68], pose), camera))
    points = _read(detector, image, camera, _disturbed(rng, crop), roll)
    if points is None:
        return None
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    angles = np.array([yaw, pitch], np.float32)
    return Portrait(gray, points.points.astype(np.float32), expression.astype(np.float32), angles)


def random_angles(rng: np.random.Generator) -> tuple[float, float, float]:
    """Yaw to 60 degrees, pitch and roll as people have them; radians."""
    yaw = rng.uniform(-60, 60) if rng.random() < 0.5 else rng.normal(0, 20)
    pitch = rng.uniform(-35, 35) if rng.random() < 0.3 else rng.normal(0, 12)
    yaw, pitch, roll = np.radians([yaw, pitch, rng.normal(0, 12)])
    return float(yaw), float(pitch), float(roll)


def _random_pose(rng: np.random.Generator, yaw: float, pitch: float, roll: float) -> Pose:
    """Angles as seen along the ray; 0.3 to 2.5 m away, up to 20 degrees beside the optical axis."""
    distance = float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    aside = np.clip(rng.normal(0, 0.15, 2), -0.36, 0.36)
    position = distance * np.append(aside, 1.0)
    return Pose(turn_to_axis(position).T @ rotation_from_euler(yaw, pitch, roll), position, metric=True)


def _camera_on(rng: np.random.Generator, pose: Pose) -> Camera:
    """A camera whose image is cut to the face, which is a little beside its middle."""
    focal = SIDE / float(rng.uniform(*_SHOWN)) * pose.position[2]
    middle = pose.position - 0.03 * pose.rotation[:, 1] + 0.01 * pose.rotation[:, 2]
    center = (SIDE - 1) / 2 + rng.normal(0, 0.03, 2) * SIDE - focal * middle[:2] / middle[2]
    matrix = np.array([[focal, 0.0, center[0]], [0.0, focal, center[1]], [0.0, 0.0, 1.0]])
    return Camera(SIDE, SIDE, matrix, np.zeros(0), metric=True)


def _disturbed(rng: np.random.Generator, crop: Roi) -> Roi:
    """The crop as a detector gives it."""
    side = crop.width * float(np.exp(rng.normal(0, 0.05)))
    x, y = np.array([crop.x + crop.width / 2, crop.y + crop.height / 2]) + rng.normal(0, 0.03, 2) * side
    return Roi(x - side / 2, y - side / 2, side, side)


def _read(
    detector: LandmarkDetector, image: NDArray[np.uint8], camera: Camera, crop: Roi, roll: float
) -> Landmarks | None:
    """FaceMesh's points, found from a rough crop as in a first frame."""
    track = Track("", crop, landmarks=None, fresh=True, roll=roll)
    return detector(Frame(image, 0, "", camera), [track])[0]
