"""Expressions that are held: whether the blendshapes of a motionless face fade in the course of a minute."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray, Frame
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.evaluation.expression.synthetic_people import SyntheticPerson, add_noise, pose_of
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.training.expression.expressions import MIXTURE, sample_expression

PEOPLE = 2
SECONDS, RATE = 60.0, 10.0  # frames per second
_FIRST = 201_000  # number of the first person
_NOISE = 2.0  # gray levels
_SHOWN = 0.2  # minimum value of a blendshape at the begin
_MEAN_OF = 10  # frames at the begin and at the end
_SETTLING = 20  # frames


def evaluate_held(config: PerceptionConfig, people: int = PEOPLE) -> dict[str, Any]:
    """Rendered faces with an expression, motionless for a minute.

    Returns:
        ``held_change``: relative change of each blendshape that is shown, the largest of all people;
        ``held_change_max``: the largest of them.
    """
    model, changes = open_face_model("open"), dict[str, float]()
    for number in progress(range(people), "held expressions", unit="clips"):
        person = SyntheticPerson(model, _FIRST + number)
        expression = sample_expression(person.rng, model.expression_names, MIXTURE)
        image = person.render(expression, pose_of(5.0, 3.0, 2.0, 0.7), Light.random(person.rng))
        for name, change in held_changes(config, image, person.rng).items():
            changes[name] = max(change, changes.get(name, 0.0))
    return {"held_change": changes, "held_change_max": max(changes.values(), default=0.0)}


def held_changes(
    config: PerceptionConfig, image: NDArray[np.uint8], rng: np.random.Generator, seconds: float = SECONDS
) -> dict[str, float]:
    """Relative changes, from the begin to the end, of the blendshapes of the face in an image that is repeated.

    Raises:
        ValueError: no face is found.
    """
    height, width = image.shape[:2]
    camera = default_camera(width, height, config.fitting.field_of_view)
    unsmoothed = replace(config, smoothing=replace(config.smoothing, method="none"))
    rows, names = list[FloatArray](), tuple[str, ...]()
    with closing(Pipeline(unsmoothed)) as pipeline:
        for number in range(round(seconds * RATE)):
            frame = Frame(add_noise(image, _NOISE, rng), round(number / RATE * 1e9), "", camera)
            faces = pipeline(frame)
            if faces:
                names = faces[0].blendshapes.names
                rows.append(faces[0].blendshapes.values)
    if len(rows) < _SETTLING + 2 * _MEAN_OF:
        raise ValueError(f"expected a face in an image that is shown for {seconds:g} s, found it in {len(rows)} frames")
    values = np.array(rows)
    begin, end = values[_SETTLING : _SETTLING + _MEAN_OF].mean(axis=0), values[-_MEAN_OF:].mean(axis=0)
    return {
        name: abs(float(last - first)) / float(first)
        for name, first, last in zip(names, begin, end, strict=True)
        if first >= _SHOWN
    }
