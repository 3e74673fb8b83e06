"""Drawn people that no training saw, in pictures that the pipeline's own stages read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import crop_from_box, pinhole_camera, rotation_from_euler, rotation_to_axis
from face_expr_ros.core.types import FaceFit, FloatArray, Frame, Pose, Track
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.models.bundle import open_bundle, open_face_model
from face_expr_ros.perception.detection import open_detector
from face_expr_ros.perception.fitting import open_fitter
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.actor import random_shape
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import unit_noise
from face_expr_ros.synthetic.scene import FaceRenderer
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.backgrounds import random_background

SEED = 30_000  # of the identities of this evaluation; nothing else draws from it
SIDE = 480  # pixels of a picture
CAMERA = pinhole_camera(SIDE, SIDE, 31.0)  # the middle of a webcam's picture, 1280x720 and 45 degrees
LARGEST_YAW = 40.0  # degrees

_LOOKS = 9_000_000  # seeds of appearances begin here; training draws from lower ones
_TEXTURE = 448  # pixels
_PITCH, _LARGEST_PITCH, _ROLL = 10.0, 25.0, 8.0  # degrees: standard deviation, limit, standard deviation
_DISTANCE = (0.55, 1.1)  # meters: faces of 110 to 220 pixels
_HALF_FACE = 0.15  # meters from the sellion to the edge of the face
_NOISE = (0.5, 4.0)  # gray levels, standard deviation
_DARKEST = 0.2  # opacity of glasses; darker ones would hide what is to be read
_FRAME_NS = 33_333_333


class Person:
    """A drawn identity with one look, that can be shown in any expression, pose and light.

    Attributes:
        rng: what this person's pictures are drawn from; the same number gives the same pictures.
    """

    def __init__(self, model: MorphableModel, number: int) -> None:
        self.rng = np.random.default_rng([SEED, number])
        self._model = model
        self._shape = random_shape(self.rng, len(model.identity), spread=float(self.rng.uniform(0.7, 1.2)))
        self._renderer = FaceRenderer(model, _unhidden(varied_appearance(_LOOKS + number)), texture_width=_TEXTURE)

    def shown(self, expression: FloatArray, pose: Pose, light: Light) -> NDArray[np.uint8]:
        """(SIDE, SIDE, 3) BGR: a clean picture before a drawn background."""
        vertices = self._model.vertices(self._shape, expression)
        return self._renderer.render(vertices, pose, CAMERA, light, random_background(self.rng, SIDE))

    def photographed(self, expression: FloatArray, pose: Pose | None = None) -> NDArray[np.uint8]:
        """The same in a light of its own, with a sensor's noise; without a pose, in a random one."""
        image = self.shown(expression, pose or random_pose(self.rng), Light.random(self.rng))
        return noisy(image, float(self.rng.uniform(*_NOISE)), self.rng)


def _unhidden(look: Appearance) -> Appearance:
    """The look without what would hide the face: hands, dark glasses."""
    glasses = look.glasses if look.glasses is not None and look.glasses.opacity <= _DARKEST else None
    return replace(look, glasses=glasses, occluder=None)


def random_pose(rng: np.random.Generator) -> Pose:
    """Yaw uniform within 40 degrees, little pitch and roll, as seen along the ray; the whole face in the picture."""
    yaw = rng.uniform(-LARGEST_YAW, LARGEST_YAW)
    pitch = np.clip(rng.normal(0, _PITCH), -_LARGEST_PITCH, _LARGEST_PITCH)
    distance = float(np.exp(rng.uniform(*np.log(_DISTANCE))))
    reach = SIDE / 2 / CAMERA.matrix[0, 0] - _HALF_FACE / distance
    return pose_of(float(yaw), float(pitch), float(rng.normal(0, _ROLL)), distance, rng.uniform(-reach, reach, 2))


def pose_of(
    yaw: float, pitch: float, roll: float, distance: float, aside: FloatArray | tuple[float, float] = (0.0, 0.0)
) -> Pose:
    """Angles in degrees as seen along the ray to the face; ``aside`` are x / z and y / z of its place."""
    position = distance * np.append(aside, 1.0)
    rotation = rotation_to_axis(position).T @ rotation_from_euler(*np.radians([yaw, pitch, roll]))
    return Pose(rotation, position, metric=True)


def noisy(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture with the noise of a sensor, the same in all colors; standard deviation in gray levels."""
    noise = unit_noise(rng, image.shape[0] * image.shape[1]).reshape(image.shape[:2]) * np.float32(sigma)
    return np.asarray(cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)


@dataclass(frozen=True)
class Look:
    """What the pipeline's stages up to the fit see of one picture.

    Attributes:
        frame: the picture.
        track: the face with FaceMesh's points.
        fit: the face model fitted to it.
        expression: (E,) what was drawn, 0..1.
    """

    frame: Frame
    track: Track
    fit: FaceFit
    expression: FloatArray


class Line:
    """Detector, FaceMesh and fit of a configuration, for pictures that do not follow each other in time.

    The fit remembers the face's shape until ``reset``; FaceMesh finds its place anew in each picture.

    Attributes:
        model: of the configured bundle. drawn: the open model, which people are drawn with, whatever the bundle.
    """

    def __init__(self, config: PerceptionConfig) -> None:
        bundle = open_bundle(config.bundle, config.fitting.network)
        self.model = bundle.model
        self.drawn = open_face_model("open")
        self.fitter = open_fitter(config.fitting, bundle)
        self._detector = open_detector(config.detection, bundle.detector_path)
        self._landmarks = open_landmarks(config.landmarks)
        self._looks = 0

    def __call__(self, image: NDArray[np.uint8], expression: FloatArray) -> Look | None:
        """What is seen of a picture of `CAMERA`; None where the detector or FaceMesh finds no face."""
        self._looks += 1
        frame = Frame(image, self._looks * _FRAME_NS, "camera_optical_frame", CAMERA)
        detections = self._detector(image) or self._detector(image, thorough=True)
        if not detections:
            return None
        crop = crop_from_box(detections[0].roi)
        track = Track("f1", crop, landmarks=None, fresh=True, roll=detections[0].roll)
        (points,) = self._landmarks(frame, [track])
        if points is None:
            return None
        track = Track("f1", crop, points, fresh=True, roll=track.roll)
        return Look(frame, track, self.fitter(frame, [track])[0], expression)

    def reset(self) -> None:
        """The next picture shows another person."""
        self.fitter.reset()
        self._landmarks.reset()

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._landmarks.close()
