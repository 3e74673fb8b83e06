"""Invariance of the blendshapes to position, size and pose.

Position and size are tested exactly: landmarks and image are shifted by whole pixels or enlarged by a factor of two, so
the content does not change. For pose, the same person is rendered with the same expression and light at yaw angles from
-40 to 40 degrees, and FaceMesh is run on each image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera, FloatArray
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.evaluation.expression.readers import stage_reader
from face_expr_ros.evaluation.expression.synthetic_people import Observation, PerceptionStages, SyntheticPerson, pose_of
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.training.expression.expressions import MIXTURE, NEUTRAL, sample_expression

PEOPLE = 6
_FIRST = 100_000  # number of the first person, apart from the people of `synthetic`
_EXPRESSIONS = 8  # per person, in addition to the neutral expression
_YAWS = (-40.0, -20.0, 0.0, 20.0, 40.0)
_NEAR, _USUAL = 0.58, 0.7  # meters; near enough that patches of large faces are averaged
_SHIFTS = ((3, -2), (-7, 5), (64, 32), (-40, -40))  # pixels: x, y
_ACTIVE = 0.1  # minimum standard deviation of a blendshape over the expressions to be evaluated


def evaluate_invariance(config: PerceptionConfig, people: int = PEOPLE) -> dict[str, Any]:
    """Changes of the blendshapes of the configured backend.

    Returns:
        ``shift``, ``scale``: largest change of any value; ``pose_ratio`` and more: see `pose_ratios`.
    """
    stages = PerceptionStages(config)
    names = stages.open_model.expression_names
    read = stage_reader(open_expression(config.expression, stages.model, stages.fitter), names)
    shift, scale, truths, values = [], [], [], []
    for number in progress(range(people), "rotated people", people, "people"):
        stages.reset()
        person = SyntheticPerson(stages.open_model, _FIRST + number)
        neutral, moments = _render_rotated(stages, person)
        near = _render_near(stages, person)
        if neutral is None or near is None:
            continue
        shift += [_change(stages, read, near, shifted(near, *by)) for by in _SHIFTS]
        scale.append(_change(stages, read, near, enlarged(near)))
        for observations in moments:
            truths.append(observations[0].expression)
            values.append(read(neutral, observations))
    stages.close()
    if not values:
        raise RuntimeError(f"expected faces in the images of {people} synthetic people, found none")
    return {"shift": max(shift), "scale": max(scale), **pose_ratios(names, np.array(truths), np.array(values))}


def pose_ratios(names: Sequence[str], truth: FloatArray, values: FloatArray) -> dict[str, Any]:
    """Variance over poses relative to the variance over expressions, for the blendshapes that the expressions contain.

    Args:
        names: (E,).
        truth: (n, E) the expressions. values: (n, poses, E) the measured blendshapes.

    Returns:
        ``pose_ratio``: mean over the blendshapes; ``pose_ratio_pooled``: ratio of the summed variances, in which weak
        blendshapes have little weight; ``pose_ratio_by_name``. NaN if no blendshape qualifies.
    """
    shown = np.flatnonzero(truth.std(axis=0) >= _ACTIVE)
    within = values.var(axis=1).mean(axis=0)[shown]
    between = np.maximum(values.mean(axis=1).var(axis=0)[shown], 1e-12)
    ratios = within / between
    return {
        "pose_ratio": float(ratios.mean()) if len(shown) else float("nan"),
        "pose_ratio_pooled": float(within.sum() / between.sum()) if len(shown) else float("nan"),
        "pose_ratio_by_name": {names[k]: float(ratio) for k, ratio in zip(shown, ratios, strict=True)},
    }


def shifted(observation: Observation, x: int, y: int) -> Observation:
    """The observation with image and landmarks shifted by whole pixels; the image wraps around."""
    return _moved(observation, np.roll(observation.frame.image, (y, x), axis=(0, 1)), 1.0, np.array([x, y, 0.0]))


def enlarged(observation: Observation) -> Observation:
    """The observation with each pixel repeated 2 x 2 times: a pixel center (x, y) becomes (2 x + 0.5, 2 y + 0.5)."""
    return _moved(
        observation, observation.frame.image.repeat(2, axis=0).repeat(2, axis=1), 2.0, np.array([0.5, 0.5, 0.0])
    )


def _moved(observation: Observation, image: np.ndarray, scale: float, offset: FloatArray) -> Observation:
    camera, points = observation.frame.camera, observation.track.landmarks
    assert points is not None  # an observation has landmarks
    matrix = np.diag([scale, scale, 1.0]) @ camera.matrix + np.array([[0, 0, offset[0]], [0, 0, offset[1]], [0, 0, 0]])
    height, width = image.shape[:2]
    frame = replace(
        observation.frame, image=image, camera=Camera(width, height, matrix, camera.distortion, camera.metric)
    )
    moved = (points.points.astype(np.float64) * scale + offset).astype(np.float32)
    return replace(observation, frame=frame, track=replace(observation.track, landmarks=replace(points, points=moved)))


def _change(
    stages: PerceptionStages, read: Callable[..., FloatArray], observation: Observation, moved: Observation
) -> float:
    """The largest difference of a value; each observation is fitted without history, as in a first frame."""
    before, after = (read(None, [_fitted(stages, each)])[0] for each in (observation, moved))
    return float(np.abs(after - before).max())


def _fitted(stages: PerceptionStages, observation: Observation) -> Observation:
    stages.fitter.reset()
    return replace(observation, fit=stages.fitter(observation.frame, [observation.track])[0])


def _render_near(stages: PerceptionStages, person: SyntheticPerson) -> Observation | None:
    expression = sample_expression(person.rng, stages.open_model.expression_names, MIXTURE)
    pose = pose_of(10.0, 5.0, 5.0, _NEAR)
    return stages(person.render(expression, pose, Light.random(person.rng)), expression)


def _render_rotated(
    stages: PerceptionStages, person: SyntheticPerson
) -> tuple[Observation | None, list[list[Observation]]]:
    """The neutral person, and each expression in every pose; expressions not found in some pose are left out."""
    names, light = stages.open_model.expression_names, Light.random(person.rng)

    def observe(expression: FloatArray, yaw: float) -> Observation | None:
        return stages(person.render(expression, pose_of(yaw, 0.0, 0.0, _USUAL), light), expression)

    neutral = observe(sample_expression(person.rng, names, NEUTRAL), 0.0)
    expressions = [sample_expression(person.rng, names, MIXTURE) for _ in range(_EXPRESSIONS)]
    rendered = [[observe(expression, yaw) for yaw in _YAWS] for expression in expressions]
    found = [[each for each in observations if each is not None] for observations in rendered]
    return neutral, [observations for observations in found if len(observations) == len(_YAWS)]
