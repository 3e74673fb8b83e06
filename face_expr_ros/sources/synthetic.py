"""A simulated camera: rendered faces with exact ground truth of pose, shape and expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Camera, FloatArray, Frame
from face_expr_ros.drawing.lighting import Lamp, Light
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.source_frame import SourceFrame, Truth
from face_expr_ros.synthetic import actor
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import studio_wall, unit_noise
from face_expr_ros.synthetic.photo_library import shipped_library
from face_expr_ros.synthetic.photo_parts import PhotoParts
from face_expr_ros.synthetic.photo_skin import shipped_skin
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene

_FACE_SPACING = 0.24  # meters between the faces of a group
_GROUP_DISTANCE = 0.16  # meters of additional distance to the camera per additional face
_SCRIPT_OFFSET = 11.0  # seconds between the scripts of neighboring faces
_IDENTITY_SCALE = 0.6  # standard deviation of the identities, relative to that of the population
# A window at image left, a bright wall at image right, and a lamp behind the person; the window casts shadows.
_LIGHT = Light(
    (
        Lamp((-0.62, -0.50, -0.72), (0.95, 1.00, 1.04), 0.28),
        Lamp((0.85, -0.10, -0.60), (0.22, 0.21, 0.21), 0.40),
        Lamp((0.75, -0.55, 0.75), (0.50, 0.46, 0.43), 0.35),
    ),
    sky=(0.26, 0.25, 0.24),
    ground=(0.10, 0.11, 0.12),
    shadow_samples=1,
    white=1.8,
)
_EVALUATION_TEXTURE = 512


class SyntheticSource:
    """The source ``synthetic``: rendered faces that follow a script, which repeats every `actor.LOOP` seconds.

    Args:
        config: image size, field of view, number of faces and seed; equal configs give equal images.
        model: the face model; None loads the model of the open bundle.
        texture_width: width of the face textures in pixels; smaller ones are built faster.
    """

    can_read_ahead = True

    def __init__(self, config: CameraConfig, model: MorphableModel | None = None, *, texture_width: int = 768) -> None:
        self._model = model or open_face_model("open")
        self._config = config
        self.camera = pinhole_camera(config.width, config.height, config.field_of_view)
        self._shapes = [self._shape(number) for number in range(config.faces)]
        self._neutral = [self._model.vertices(shape) for shape in self._shapes]
        appearances = [self._appearance(number) for number in range(config.faces)]
        self._renderers = [
            FaceRenderer(self._model, look, texture_width=texture_width, photo=_photographs(look))
            for look in appearances
        ]

    def read(self, t: float) -> SourceFrame:
        """The image at time ``t`` of the script, in seconds."""
        frame, truths = self.at(t)
        return SourceFrame(frame.image, frame.camera, truths)

    def close(self) -> None:
        """Does nothing: no device or file is open."""

    def at(self, t: float) -> tuple[Frame, tuple[Truth, ...]]:
        """The frame at a time in seconds, and the ground truth of its faces from image left to image right."""
        truths = tuple(self.truth_at(t, number) for number in range(self._config.faces))
        scene = [
            SceneFace(renderer, self._with_expression(neutral, truth), truth.pose)
            for renderer, neutral, truth in zip(self._renderers, self._neutral, truths, strict=True)
        ]
        image = render_scene(scene, self.camera, _LIGHT)
        return Frame(image, round(t * 1e9), self._config.frame_id, self.camera), truths

    def frames(self, rate: float) -> Iterator[tuple[Frame, tuple[Truth, ...]]]:
        """Endless frames, ``rate`` per second of the script."""
        count = 0
        while True:
            yield self.at(count / rate)
            count += 1

    def truth_at(self, t: float, number: int = 0) -> Truth:
        """Ground truth of face ``number`` at a time in seconds."""
        state = actor.state_at(t + number * _SCRIPT_OFFSET, self._model.expression_names)
        others = self._config.faces - 1
        beside = np.array([(number - others / 2) * _FACE_SPACING, 0.0, others * _GROUP_DISTANCE])
        return Truth(replace(state.pose, position=state.pose.position + beside), self._shapes[number], state.expression)

    def _with_expression(self, neutral: FloatArray, truth: Truth) -> FloatArray:
        """Equal to `MorphableModel.vertices`, without the terms that are constant or zero."""
        active = np.flatnonzero(truth.expression)
        moved: FloatArray = neutral + np.tensordot(truth.expression[active], self._model.expression[active], axes=1)
        return moved

    def _shape(self, number: int) -> FloatArray:
        rng = np.random.default_rng([self._config.seed, number, 1])
        return actor.random_shape(rng, len(self._model.identity), _IDENTITY_SCALE)

    def _appearance(self, number: int) -> Appearance:
        return Appearance.random(self._config.seed + 1000 * number)


def _photographs(appearance: Appearance) -> PhotoParts:
    """The package's photographs for an appearance."""
    rng = np.random.default_rng([appearance.seed, 41])
    return shipped_library().parts(shipped_skin(appearance.skin), appearance, rng, over_eyes=0.0)


def random_truth(model: MorphableModel, camera: Camera, rng: np.random.Generator) -> Truth:
    """Random ground truth, see `actor.random_pose`, `random_shape` and `random_expression`."""
    return Truth(
        actor.random_pose(rng, camera),
        actor.random_shape(rng, len(model.identity)),
        actor.random_expression(rng, model.expression_names),
    )


def random_frame(
    model: MorphableModel, camera: Camera, rng: np.random.Generator, truth: Truth | None = None
) -> tuple[Frame, Truth]:
    """An image of a random face with random appearance, light, background and sensor noise.

    Args:
        model: the open face model.
        camera: a pinhole camera.
        rng: source of all random numbers.
        truth: pose, shape and expression; None samples them.
    """
    truth = truth or random_truth(model, camera, rng)
    appearance = Appearance.random(int(rng.integers(1 << 31)))
    renderer = FaceRenderer(model, appearance, texture_width=_EVALUATION_TEXTURE)
    wall = studio_wall(camera.width, camera.height, int(rng.integers(1, 1 << 31)))
    image = renderer.render((truth.shape, truth.expression), truth.pose, camera, Light.random(rng), wall)
    noise = unit_noise(rng, camera.width * camera.height).reshape(image.shape[:2]) * np.float32(rng.uniform(0.5, 4.0))
    noisy = cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    return Frame(np.asarray(noisy, np.uint8), 0, "camera_optical_frame", camera), truth
