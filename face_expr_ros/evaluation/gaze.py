"""Gaze errors on rendered people: ``python -m face_expr_ros.evaluation.gaze``.

Each image shows a known gaze of an otherwise neutral person; half of the heads are rotated. The pipeline processes each
image independently, without smoothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.arkit import arkit_values, gaze_angles
from face_expr_ros.core.config import ExpressionConfig, PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.progress import progress
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import FaceState, FloatArray, Frame, Pose, face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.attention import angle_to_camera, cone
from face_expr_ros.perception.gaze import Gaze, gaze, gaze_from_irises, iris_angles
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.retargeting.engagement import LOOKING
from face_expr_ros.synthetic.actor import random_shape, set_gaze
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer

PEOPLE, GAZES = 6, 10  # gazes of each person
_MAX_LEFT, _MAX_UP = 0.42, 0.30  # radians, at percentile_90
_MAX_YAW, _MAX_PITCH = 0.45, 0.27  # radians, at percentile_90, of the second half of the gazes
_DISTANCE = 0.55  # meters
_FIRST = 50  # seed of the first appearance


@dataclass(frozen=True)
class GazeSample:
    """The true gaze of one image and the face that the pipeline found.

    Attributes:
        direction: (3,) unit vector of the true gaze in the camera frame.
        position: (3,) true position of the face in the camera frame, meters.
        angles: (2,) true angles of both eyes in the head, radians, to the subject's left and up.
        state: the face that was found.
    """

    direction: FloatArray
    position: FloatArray
    angles: FloatArray
    state: FaceState


@dataclass(frozen=True)
class GazeErrors:
    """Gaze errors in degrees.

    Attributes:
        median, percentile_90: of the angle between the true and the measured direction.
        horizontal, vertical: mean absolute error of the eyes relative to the head, averaged over both eyes.
    """

    median: float
    percentile_90: float
    horizontal: float
    vertical: float


# Gaze estimators: the direction in the camera frame, and the angles (2, 2) of both eyes in the head.
READERS: dict[str, tuple[Callable[[FaceState], Gaze], Callable[[FaceState], FloatArray]]] = {
    "blendshapes": (gaze, lambda state: gaze_angles(arkit_values(state.blendshapes))),
    "irises alone": (gaze_from_irises, iris_angles),
}


@dataclass(frozen=True)
class LookingFigures:
    """How well the read-out `looking_at_camera` separates gazes at the camera from others.

    Attributes:
        inside: number of the images whose true gaze is inside the cone, by more than its softness.
        outside: number of the images whose true gaze is outside, by more than its softness.
        found: fraction of ``inside`` with a value of at least 0.5.
        false: fraction of ``outside`` with a value of at least 0.5.
        error: mean absolute difference from the value of the true gaze, over all images.
    """

    inside: int
    outside: int
    found: float
    false: float
    error: float


def rendered_gaze_samples(people: int = PEOPLE, gazes: int = GAZES, *, contact: bool = False) -> Iterator[GazeSample]:
    """Samples for all images in which a face is found; the first gaze of each person is straight ahead.

    Args:
        people, gazes: number of people, and of images of each.
        contact: every second gaze is directed at the camera, also from a rotated head.
    """
    model, camera, rng = open_face_model("open"), pinhole_camera(640, 480, 45.0), np.random.default_rng(3)
    pipeline = Pipeline(from_mapping(PerceptionConfig, {"smoothing.method": "none"}))
    for person in progress(range(people), "rendered people", people, "people"):
        renderer = FaceRenderer(model, Appearance.random(_FIRST + person), texture_width=512)
        shape = random_shape(rng, len(model.identity), 0.7)
        for number in range(gazes):
            angles, pose = _gaze_and_pose(rng, ahead=not number, turned=number >= gazes // 2)
            if contact and number % 2:
                angles = _angles_to_camera(pose)
            image = renderer.render((shape, _expression(model.expression_names, *angles)), pose, camera)
            faces = pipeline(Frame(image, (100 * person + number) * 10**10, "camera", camera))
            for face in faces[:1]:
                state = face_state(face, 0, model.name)
                yield GazeSample(pose.rotation @ _direction(*angles), pose.position, np.array(angles), state)
        pipeline.reset()
    pipeline.close()


def _gaze_and_pose(rng: np.random.Generator, *, ahead: bool, turned: bool) -> tuple[tuple[float, float], Pose]:
    """Angles of the eyes to the subject's left and up, radians, and the pose of the head."""
    left, up = (0.0, 0.0) if ahead else rng.uniform([-_MAX_LEFT, -_MAX_UP], [_MAX_LEFT, _MAX_UP]).tolist()
    yaw, pitch = rng.uniform([-_MAX_YAW, -_MAX_PITCH], [_MAX_YAW, _MAX_PITCH]).tolist() if turned else (0.0, 0.0)
    return (left, up), Pose(rotation_from_euler(yaw, pitch, 0.0), np.array([0.0, 0.0, _DISTANCE]), metric=True)


def _angles_to_camera(pose: Pose) -> tuple[float, float]:
    """Angles of eyes that look into the camera, radians, to the subject's left and up."""
    x, y, z = (pose.rotation.T @ (-pose.position / np.linalg.norm(pose.position))).tolist()
    return math.atan2(x, z), math.asin(y)


def looking_figures(samples: list[GazeSample], config: ExpressionConfig) -> LookingFigures:
    """Figures of the read-out on samples that were processed with this configuration."""
    values = np.array([sample.state.readouts.looking_at_camera for sample in samples])
    angles = np.array([angle_to_camera(sample.direction.tolist(), sample.position.tolist()) for sample in samples])
    true = np.array([cone(angle, config.looking_half_angle, config.looking_softness) for angle in angles])
    inside, outside = true >= 1.0, true <= 0.0
    found, false = (float((values[chosen] >= LOOKING).mean()) if chosen.any() else 0.0 for chosen in (inside, outside))
    error = float(np.abs(values - true).mean())
    return LookingFigures(int(inside.sum()), int(outside.sum()), found, false, error)


def _expression(names: Sequence[str], left: float, up: float) -> FloatArray:
    """A neutral expression with this gaze."""
    values = dict.fromkeys(names, 0.0)
    set_gaze(values, left, up)
    return np.clip(list(values.values()), 0.0, 1.0)


def _direction(left: float, up: float) -> FloatArray:
    """(3,) gaze direction in model axes."""
    return np.array([math.sin(left) * math.cos(up), math.sin(up), math.cos(left) * math.cos(up)])


def gaze_errors(samples: list[GazeSample], reader: str) -> GazeErrors:
    """Errors of one of ``READERS`` on the samples."""
    direction, angles = READERS[reader]
    off = [_angle(direction(sample.state).combined, sample.direction) for sample in samples]
    eyes = np.degrees([np.abs(angles(sample.state).mean(axis=0) - sample.angles) for sample in samples])
    horizontal, vertical = eyes.mean(axis=0).tolist()
    return GazeErrors(float(np.median(off)), float(np.percentile(off, 90)), horizontal, vertical)


def _angle(first: FloatArray, second: FloatArray) -> float:
    """Degrees between two directions."""
    return math.degrees(math.acos(min(1.0, float(first @ second))))


def main() -> None:
    """Print the errors of each estimator."""
    parser = argparse.ArgumentParser(description="Gaze errors on rendered people.")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"number of rendered people (default {PEOPLE})")
    parser.add_argument("--gazes", type=int, default=GAZES, help=f"images per person (default {GAZES})")
    arguments = parser.parse_args()
    samples = list(rendered_gaze_samples(arguments.people, arguments.gazes))
    print(f"{len(samples)} of {arguments.people * arguments.gazes} images with a face; errors in degrees")
    for reader in READERS:
        found = gaze_errors(samples, reader)
        print(
            f"{reader}: median {found.median:.1f}, 90th percentile {found.percentile_90:.1f}; "
            f"eyes relative to the head: horizontal {found.horizontal:.1f}, vertical {found.vertical:.1f}"
        )
    contact = list(rendered_gaze_samples(arguments.people, arguments.gazes, contact=True))
    looking = looking_figures(contact, ExpressionConfig())
    print(
        f"looking_at_camera, every second gaze at the camera: at least 0.5 in {100 * looking.found:.0f} % of "
        f"{looking.inside} images inside the cone and in {100 * looking.false:.0f} % of {looking.outside} outside; "
        f"mean error {looking.error:.2f}"
    )


if __name__ == "__main__":
    main()
