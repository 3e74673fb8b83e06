"""A camera that needs no hardware: rendered people whose pose, shape and expression are known exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Camera, FloatArray, Frame
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.source_frame import SourceFrame, Truth
from face_expr_ros.synthetic import actor
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import studio_wall, unit_noise
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene

_APART = 0.24  # meters between the faces of a group
_GROUP_DISTANCE = 0.16  # meters that a group stands farther away than one person, per additional person
_LATER = 11.0  # seconds between the scripts of neighbors
_MILDNESS = 0.6  # of the demo's identities, relative to the population's spread
_EVALUATION_TEXTURE = 512


class SyntheticSource:
    """The source ``synthetic``: people who move by a script that repeats every `actor.LOOP` seconds.

    Args:
        config: size, field of view, number of faces and seed; the same config gives the same images.
        model: the face model; None opens the open one.
        texture_width: of the faces' textures, pixels; a smaller one starts faster.
    """

    ahead = True

    def __init__(self, config: CameraConfig, model: MorphableModel | None = None, *, texture_width: int = 768) -> None:
        self._model = model or open_face_model("open")
        self._config = config
        self.camera = pinhole_camera(config.width, config.height, config.field_of_view)
        self._shapes = [self._shape(number) for number in range(config.faces)]
        self._neutral = [self._model.vertices(shape) for shape in self._shapes]
        self._renderers = [
            FaceRenderer(self._model, self._look(number), texture_width=texture_width) for number in range(config.faces)
        ]

    def read(self, t: float) -> SourceFrame:
        """The image at ``t`` seconds of the script."""
        frame, truths = self.at(t)
        return SourceFrame(frame.image, frame.camera, truths)

    def close(self) -> None:
        """Nothing is held open."""

    def at(self, t: float) -> tuple[Frame, tuple[Truth, ...]]:
        """The frame at a time in seconds, and who is in it, from image left to image right."""
        truths = tuple(self.truth_at(t, number) for number in range(self._config.faces))
        scene = [
            SceneFace(renderer, self._moved(neutral, truth), truth.pose)
            for renderer, neutral, truth in zip(self._renderers, self._neutral, truths, strict=True)
        ]
        image = render_scene(scene, self.camera)
        return Frame(image, round(t * 1e9), self._config.frame_id, self.camera), truths

    def frames(self, rate: float) -> Iterator[tuple[Frame, tuple[Truth, ...]]]:
        """Frames without end, `rate` to a second of the script."""
        count = 0
        while True:
            yield self.at(count / rate)
            count += 1

    def truth_at(self, t: float, number: int = 0) -> Truth:
        """What person `number` does at a time in seconds."""
        state = actor.state_at(t + number * _LATER, self._model.expression_names)
        others = self._config.faces - 1
        beside = np.array([(number - others / 2) * _APART, 0.0, others * _GROUP_DISTANCE])
        return Truth(replace(state.pose, position=state.pose.position + beside), self._shapes[number], state.expression)

    def _moved(self, neutral: FloatArray, truth: Truth) -> FloatArray:
        """`MorphableModel.vertices`, without the sums that stay the same or are zero."""
        active = np.flatnonzero(truth.expression)
        moved: FloatArray = neutral + np.tensordot(truth.expression[active], self._model.expression[active], axes=1)
        return moved

    def _shape(self, number: int) -> FloatArray:
        rng = np.random.default_rng([self._config.seed, number, 1])
        return actor.random_shape(rng, len(self._model.identity), _MILDNESS)

    def _look(self, number: int) -> Appearance:
        return Appearance.random(self._config.seed + 1000 * number)


def random_truth(model: MorphableModel, camera: Camera, rng: np.random.Generator) -> Truth:
    """A random person in a random state: see `actor.random_pose`, `random_shape` and `random_expression`."""
    return Truth(
        actor.random_pose(rng, camera),
        actor.random_shape(rng, len(model.identity)),
        actor.random_expression(rng, model.expression_names),
    )


def random_frame(
    model: MorphableModel, camera: Camera, rng: np.random.Generator, truth: Truth | None = None
) -> tuple[Frame, Truth]:
    """One picture of a random person with random looks, light, wall and sensor noise, for evaluation and training.

    Args:
        model: the open face model.
        camera: a pinhole.
        rng: everything is drawn from it.
        truth: pose, shape and expression; None draws them.
    """
    truth = truth or random_truth(model, camera, rng)
    look = Appearance.random(int(rng.integers(1 << 31)))
    renderer = FaceRenderer(model, look, texture_width=_EVALUATION_TEXTURE)
    wall = studio_wall(camera.width, camera.height, int(rng.integers(1, 1 << 31)))
    image = renderer.render((truth.shape, truth.expression), truth.pose, camera, Light.random(rng), wall)
    noise = unit_noise(rng, camera.width * camera.height).reshape(image.shape[:2]) * np.float32(rng.uniform(0.5, 4.0))
    noisy = cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    return Frame(np.asarray(noisy, np.uint8), 0, "camera_optical_frame", camera), truth
