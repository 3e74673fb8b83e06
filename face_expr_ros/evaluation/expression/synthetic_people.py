"""Synthetic people who are not in the training data, and the pipeline's stages applied to their images."""

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

SEED = 30_000  # seed of the identities of this evaluation, used by nothing else
SIDE = 480  # width and height of an image, pixels
CAMERA = pinhole_camera(SIDE, SIDE, 31.0)  # the center of a webcam's image of 1280x720 and 45 degrees
MAX_YAW = 40.0  # degrees

_FIRST_APPEARANCE_SEED = 9_000_000  # training uses lower seeds
_TEXTURE = 448  # pixels
_PITCH, _MAX_PITCH, _ROLL = (
    10.0,
    25.0,
    8.0,
)  # degrees: deviation and limit of pitch, deviation of roll
_DISTANCE = (0.55, 1.1)  # meters: faces of 110 to 220 pixels
_HALF_FACE = 0.15  # meters from the sellion to the edge of the face
_NOISE = (0.5, 4.0)  # gray levels, standard deviation
_MAX_LENS_OPACITY = 0.2  # darker glasses are removed because they hide the eyes
_FRAME_NS = 33_333_333


class SyntheticPerson:
    """A synthetic identity with one appearance, rendered with any expression, pose and light.

    Attributes:
        rng: random generator of this person's images; the same number gives the same images.
    """

    def __init__(self, model: MorphableModel, number: int) -> None:
        self.rng = np.random.default_rng([SEED, number])
        self._model = model
        self._shape = random_shape(self.rng, len(model.identity), spread=float(self.rng.uniform(0.7, 1.2)))
        self._renderer = FaceRenderer(
            model, _without_occluders(varied_appearance(_FIRST_APPEARANCE_SEED + number)), texture_width=_TEXTURE
        )

    def render(self, expression: FloatArray, pose: Pose, light: Light) -> NDArray[np.uint8]:
        """(SIDE, SIDE, 3) uint8 BGR without noise, with a random background."""
        vertices = self._model.vertices(self._shape, expression)
        return self._renderer.render(vertices, pose, CAMERA, light, random_background(self.rng, SIDE))

    def render_noisy(self, expression: FloatArray, pose: Pose | None = None) -> NDArray[np.uint8]:
        """As `render`, with random light and sensor noise, and a random pose if none is given."""
        image = self.render(expression, pose or random_pose(self.rng), Light.random(self.rng))
        return add_noise(image, float(self.rng.uniform(*_NOISE)), self.rng)


def _without_occluders(appearance: Appearance) -> Appearance:
    """The appearance without items that hide the face: occluders and dark glasses."""
    glasses = (
        appearance.glasses
        if appearance.glasses is not None and appearance.glasses.opacity <= _MAX_LENS_OPACITY
        else None
    )
    return replace(appearance, glasses=glasses, occluder=None)


def random_pose(rng: np.random.Generator) -> Pose:
    """Yaw uniform within 40 degrees, little pitch and roll, relative to the viewing ray; the whole face is visible."""
    yaw = rng.uniform(-MAX_YAW, MAX_YAW)
    pitch = np.clip(rng.normal(0, _PITCH), -_MAX_PITCH, _MAX_PITCH)
    distance = float(np.exp(rng.uniform(*np.log(_DISTANCE))))
    reach = SIDE / 2 / CAMERA.matrix[0, 0] - _HALF_FACE / distance
    return pose_of(float(yaw), float(pitch), float(rng.normal(0, _ROLL)), distance, rng.uniform(-reach, reach, 2))


def pose_of(
    yaw: float, pitch: float, roll: float, distance: float, offset: FloatArray | tuple[float, float] = (0.0, 0.0)
) -> Pose:
    """A pose with angles in degrees relative to the ray to the face; ``offset`` is x / z and y / z of its position."""
    position = distance * np.append(offset, 1.0)
    rotation = rotation_to_axis(position).T @ rotation_from_euler(*np.radians([yaw, pitch, roll]))
    return Pose(rotation, position, metric=True)


def add_noise(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add Gaussian noise, equal in all channels, of standard deviation ``sigma`` gray levels."""
    noise = unit_noise(rng, image.shape[0] * image.shape[1]).reshape(image.shape[:2]) * np.float32(sigma)
    return np.asarray(cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)


@dataclass(frozen=True)
class Observation:
    """Results of the pipeline's stages up to the fit for one image.

    Attributes:
        frame: the image.
        track: the face with its FaceMesh landmarks.
        fit: the fitted face model.
        expression: (E,) true blendshapes, 0..1.
    """

    frame: Frame
    track: Track
    fit: FaceFit
    expression: FloatArray


class PerceptionStages:
    """Detector, FaceMesh and fit of a configuration, applied to independent images.

    The fit keeps the face's shape until ``reset``; FaceMesh starts from the detection in each image.

    Attributes:
        model: face model of the configured bundle. open_model: the open model, which all people are rendered with.
    """

    def __init__(self, config: PerceptionConfig) -> None:
        bundle = open_bundle(config.bundle, config.fitting.network)
        self.model = bundle.model
        self.open_model = open_face_model("open")
        self.fitter = open_fitter(config.fitting, bundle)
        self._detector = open_detector(config.detection, bundle.detector_path)
        self._landmarks = open_landmarks(config.landmarks)
        self._count = 0

    def __call__(self, image: NDArray[np.uint8], expression: FloatArray) -> Observation | None:
        """Results for an image of `CAMERA`; None if the detector or FaceMesh finds no face."""
        self._count += 1
        frame = Frame(image, self._count * _FRAME_NS, "camera_optical_frame", CAMERA)
        detections = self._detector(image) or self._detector(image, thorough=True)
        if not detections:
            return None
        crop = crop_from_box(detections[0].roi)
        track = Track("f1", crop, landmarks=None, fresh=True, roll=detections[0].roll)
        (points,) = self._landmarks(frame, [track])
        if points is None:
            return None
        track = Track("f1", crop, points, fresh=True, roll=track.roll)
        return Observation(frame, track, self.fitter(frame, [track])[0], expression)

    def reset(self) -> None:
        """Discard the state before images of another person."""
        self.fitter.reset()
        self._landmarks.reset()

    def close(self) -> None:
        """Release the networks."""
        self._detector.close()
        self._landmarks.close()
