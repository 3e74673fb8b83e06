"""Noise of the whole pipeline, filter included, on a still face, and the filter's delay."""

from __future__ import annotations

from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig, SmoothingConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, FloatArray, Frame, Pose, Roi
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.evaluation.expression.synthetic_people import CAMERA, SyntheticPerson, add_noise, pose_of
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.perception.smoothing import Smoother
from face_expr_ros.training.expression.expressions import MIXTURE, NEUTRAL, sample_expression

PEOPLE = 2
RATE = 30.0  # frames per second
_FIRST = 200_000  # number of the first person
_NOISE = (2.0, 4.0)  # gray levels
_SETTLING, _MEASURED = 30, 60  # frames
_STEP = 0.5  # height of the step in a blendshape
_WAIT = 60  # frames for the filter to settle


def evaluate_stillness(config: PerceptionConfig, people: int = PEOPLE) -> dict[str, Any]:
    """Blendshapes of still faces, neutral and with an expression, in images that differ only in noise.

    Returns:
        ``still_std_max``: largest standard deviation over time of any blendshape, with and without a known neutral
        expression; ``still_std``: the same by noise level; ``still_std_by_name``: by blendshape; ``delay_frames``: see
        `delay_frames`.
    """
    model = open_face_model("open")
    deviations: dict[str, list[FloatArray]] = {f"{sigma:g}": [] for sigma in _NOISE}
    names: tuple[str, ...] = ()
    clips = [(number, kind, sigma) for number in range(people) for kind in (NEUTRAL, MIXTURE) for sigma in _NOISE]
    for number, kind, sigma in progress(clips, "still faces", len(clips), "clips"):
        person = SyntheticPerson(model, _FIRST + number)
        expression = sample_expression(person.rng, model.expression_names, kind)
        image = person.render(expression, pose_of(5.0, 3.0, 2.0, 0.7), Light.random(person.rng))
        pictures = (add_noise(image, sigma, person.rng) for _ in range(2 * (_SETTLING + _MEASURED)))
        names, values = _run_pipeline(config, list(pictures))
        deviations[f"{sigma:g}"] += [part[_SETTLING:].std(axis=0) for part in np.array_split(values, 2)]
    by_name = np.max([each for of_noise in deviations.values() for each in of_noise], axis=0)
    return {
        "still_std_max": float(by_name.max()),
        "still_std": {sigma: float(np.max(each)) for sigma, each in deviations.items()},
        "still_std_by_name": dict(zip(names, map(float, by_name), strict=True)),
        "delay_frames": delay_frames(config.smoothing),
    }


def _run_pipeline(config: PerceptionConfig, pictures: list[np.ndarray]) -> tuple[tuple[str, ...], FloatArray]:
    """Names and values (n, E) of the single face; the neutral expression is calibrated halfway."""
    pipeline = Pipeline(config)
    values: list[Blendshapes] = []
    for number, picture in enumerate(pictures):
        if number == len(pictures) // 2:
            pipeline.calibrate_neutral()
        faces = pipeline(Frame(picture, round(number / RATE * 1e9), "camera_optical_frame", CAMERA))
        values += [faces[0].blendshapes] if faces else values[-1:]
    pipeline.close()
    if len(values) < len(pictures):
        raise RuntimeError("expected a face in the first frame of a still clip, got none")
    return values[0].names, np.stack([each.values for each in values])


def delay_frames(config: SmoothingConfig, rate: float = RATE) -> float:
    """Frames from the last frame before a step of 0.5 in a blendshape until the filtered value reaches half of it.

    The output is interpolated linearly between frames, so no delay gives 0.5, the time when the step itself is at half.
    """
    smoother = Smoother(config)
    steps = np.concatenate([np.zeros(_WAIT), np.full(_WAIT, _STEP)])
    passed = np.array(
        [
            smoother((_face(value),), round(number / rate * 1e9))[0].blendshapes.values[0]
            for number, value in enumerate(steps)
        ]
    )
    passed = passed[_WAIT - 1 :] / _STEP
    after = int(np.argmax(passed >= 0.5))
    return float(after - (passed[after] - 0.5) / (passed[after] - passed[after - 1]))


def _face(value: float) -> Face:
    pose = Pose(np.eye(3), np.array([0.0, 0.0, 0.6]), metric=True)
    matrix = np.hstack([1000.0 * np.eye(3), np.zeros((3, 1))])
    fit = FaceFit(pose, np.zeros(1), np.zeros(1), 0.0, np.zeros((68, 3)), matrix, 1.0)
    return Face("f1", 1.0, Roi(0, 0, 200, 200), None, fit, Blendshapes(("jawOpen",), np.array([value])))
