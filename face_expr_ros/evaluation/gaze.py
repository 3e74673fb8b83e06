"""How far off the gaze is on rendered people: ``python -m face_expr_ros.evaluation.gaze``.

Each picture is another gaze, known exactly, of a drawn person at rest otherwise; half of the heads are turned. The
pipeline reads each by itself, without smoothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.progress import progress
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import FaceState, FloatArray, Frame, Pose, face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.retargeting.avatar_axes import arkit_values, gaze_angles
from face_expr_ros.retargeting.gaze import Gaze, gaze, gaze_from_irises, iris_angles
from face_expr_ros.synthetic.actor import random_shape, set_gaze
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer

PEOPLE, GAZES = 6, 10  # gazes of each person
_ASIDE, _ABOVE = 0.42, 0.30  # radians, at most
_YAW, _PITCH = 0.45, 0.27  # radians, at most, of the second half of the gazes
_DISTANCE = 0.55  # meters
_FIRST = 50  # number of the first look


@dataclass(frozen=True)
class Look:
    """One picture: where its person looks, and what the pipeline says of the face.

    Attributes:
        direction: (3,) unit vector of the true gaze in the camera frame.
        angles: (2,) radians of the true eyes in the head, to the subject's left and up; both eyes look alike.
        state: the face that was found.
    """

    direction: FloatArray
    angles: FloatArray
    state: FaceState


@dataclass(frozen=True)
class GazeErrors:
    """Degrees.

    Attributes:
        median, most: angle between the true direction and the one that was read, half of them and 90 % at most.
        aside, above: mean absolute error of the eyes in the head, the mean of both, without the head's own.
    """

    median: float
    most: float
    aside: float
    above: float


# Who says where the eyes look: the direction in the camera frame, and the angles (2, 2) of both eyes in the head.
READERS: dict[str, tuple[Callable[[FaceState], Gaze], Callable[[FaceState], FloatArray]]] = {
    "blendshapes": (gaze, lambda state: gaze_angles(arkit_values(state.blendshapes))),
    "irises alone": (gaze_from_irises, iris_angles),
}


def rendered_looks(people: int = PEOPLE, gazes: int = GAZES) -> Iterator[Look]:
    """The pictures in which a face is found; the first gaze of each person is straight ahead."""
    model, camera, rng = open_face_model("open"), pinhole_camera(640, 480, 45.0), np.random.default_rng(3)
    pipeline = Pipeline(from_mapping(PerceptionConfig, {"smoothing.method": "none"}))
    for person in progress(range(people), "rendered people", people, "people"):
        renderer = FaceRenderer(model, Appearance.random(_FIRST + person), texture_width=512)
        shape = random_shape(rng, len(model.identity), 0.7)
        for number in range(gazes):
            angles, pose = _gaze_and_pose(rng, ahead=not number, turned=number >= gazes // 2)
            image = renderer.render((shape, _expression(model.expression_names, *angles)), pose, camera)
            faces = pipeline(Frame(image, (100 * person + number) * 10**10, "camera", camera))
            for face in faces[:1]:
                yield Look(pose.rotation @ _direction(*angles), np.array(angles), face_state(face, 0, model.name))
        pipeline.reset()
    pipeline.close()


def _gaze_and_pose(rng: np.random.Generator, *, ahead: bool, turned: bool) -> tuple[tuple[float, float], Pose]:
    """Radians of the eyes to the subject's left and up, and the head."""
    left, up = (0.0, 0.0) if ahead else rng.uniform([-_ASIDE, -_ABOVE], [_ASIDE, _ABOVE]).tolist()
    yaw, pitch = rng.uniform([-_YAW, -_PITCH], [_YAW, _PITCH]).tolist() if turned else (0.0, 0.0)
    return (left, up), Pose(rotation_from_euler(yaw, pitch, 0.0), np.array([0.0, 0.0, _DISTANCE]), metric=True)


def _expression(names: Sequence[str], left: float, up: float) -> FloatArray:
    """A face that only looks there."""
    values = dict.fromkeys(names, 0.0)
    set_gaze(values, left, up)
    return np.clip(list(values.values()), 0.0, 1.0)


def _direction(left: float, up: float) -> FloatArray:
    """(3,) in model axes."""
    return np.array([math.sin(left) * math.cos(up), math.sin(up), math.cos(left) * math.cos(up)])


def gaze_errors(looks: list[Look], reader: str) -> GazeErrors:
    """What one of ``READERS`` makes of the pictures."""
    direction, angles = READERS[reader]
    off = [_angle(direction(look.state).combined, look.direction) for look in looks]
    eyes = np.degrees([np.abs(angles(look.state).mean(axis=0) - look.angles) for look in looks])
    aside, above = eyes.mean(axis=0).tolist()
    return GazeErrors(float(np.median(off)), float(np.percentile(off, 90)), aside, above)


def _angle(first: FloatArray, second: FloatArray) -> float:
    """Degrees between two directions."""
    return math.degrees(math.acos(min(1.0, float(first @ second))))


def main() -> None:
    """Print a line for each reader."""
    parser = argparse.ArgumentParser(description="How far off the gaze is on rendered people.")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"rendered people (default {PEOPLE})")
    parser.add_argument("--gazes", type=int, default=GAZES, help=f"pictures of each (default {GAZES})")
    arguments = parser.parse_args()
    looks = list(rendered_looks(arguments.people, arguments.gazes))
    print(f"{len(looks)} of {arguments.people * arguments.gazes} pictures with a face; errors in degrees")
    for reader in READERS:
        found = gaze_errors(looks, reader)
        print(
            f"{reader}: median {found.median:.1f}, 90 % at most {found.most:.1f}; "
            f"eyes in the head: aside {found.aside:.1f}, up and down {found.above:.1f}"
        )


if __name__ == "__main__":
    main()
