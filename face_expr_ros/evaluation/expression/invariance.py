"""Whether the same expression reads the same: at another place, at another size, under another pose.

Place and size are exact: the landmarks are moved by whole pixels or made twice as large, and the image with them, so
that nothing is seen that was not seen before. Pose is drawn anew: the same person in the same expression and light,
turned from -40 to 40 degrees, as FaceMesh sees it then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import Camera, FloatArray, Landmarks
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.evaluation.expression.people import Line, Look, Person, pose_of
from face_expr_ros.evaluation.expression.readers import through_stage
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.training.expression.expressions import MIXTURE, NEUTRAL, sample_expression

PEOPLE = 6
_FIRST = 100_000  # number of the first person; the synthetic scores have others
_EXPRESSIONS = 8  # of a person, rest not counted
_YAWS = (-40.0, -20.0, 0.0, 20.0, 40.0)
_NEAR, _USUAL = 0.58, 0.7  # meters; near enough for a head that averages pixels of large faces
_SHIFTS = ((3, -2), (-7, 5), (64, 32), (-40, -40))  # pixels: x, y
_ACTIVE = 0.1  # standard deviation, over the drawn expressions, of a blendshape that they show


def evaluate_invariance(config: PerceptionConfig, people: int = PEOPLE) -> dict[str, Any]:
    """How much the values of the configured reader change.

    Returns:
        shift, scale: the largest change of any value. pose_ratio and more: see `pose_ratios`.
    """
    line = Line(config)
    names = line.drawn.expression_names
    read = through_stage(open_expression(config.expression, line.model, line.fitter), names)
    shift, scale, truths, values = [], [], [], []
    for number in progress(range(people), "turned people", people, "people"):
        line.reset()
        person = Person(line.drawn, _FIRST + number)
        rest, moments = _turned(line, person)
        near = _near(line, person)
        if rest is None or near is None:
            continue
        shift += [_change(line, read, near, shifted(near, *by)) for by in _SHIFTS]
        scale.append(_change(line, read, near, enlarged(near)))
        for looks in moments:
            truths.append(looks[0].expression)
            values.append(read(rest, looks))
    line.close()
    if not values:
        raise RuntimeError(f"no face was found in the pictures of {people} drawn people")
    return {"shift": max(shift), "scale": max(scale), **pose_ratios(names, np.array(truths), np.array(values))}


def pose_ratios(names: Sequence[str], truth: FloatArray, values: FloatArray) -> dict[str, Any]:
    """Variance over poses in parts of the variance over expressions, for the blendshapes that the expressions show.

    Args:
        names: (E,).
        truth: (n, E) the expressions. values: (n, poses, E) what was read of them.

    Returns:
        pose_ratio: the mean over the blendshapes; pose_ratio_pooled: the sums of both variances over the blendshapes
        by each other, in which weak blendshapes weigh little; pose_ratio_by_name. NaN where nothing was shown.
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


def shifted(look: Look, x: int, y: int) -> Look:
    """The look with its image rolled by whole pixels, and the landmarks with it."""
    return _moved(look, np.roll(look.frame.image, (y, x), axis=(0, 1)), 1.0, np.array([x, y, 0.0]))


def enlarged(look: Look) -> Look:
    """The look with every pixel as four: the center (x, y) of a pixel becomes (2 x + 0.5, 2 y + 0.5)."""
    return _moved(look, look.frame.image.repeat(2, axis=0).repeat(2, axis=1), 2.0, np.array([0.5, 0.5, 0.0]))


def _moved(look: Look, image: np.ndarray, scale: float, offset: FloatArray) -> Look:
    camera, points = look.frame.camera, look.track.landmarks
    assert points is not None  # a look has landmarks
    matrix = np.diag([scale, scale, 1.0]) @ camera.matrix + np.array([[0, 0, offset[0]], [0, 0, offset[1]], [0, 0, 0]])
    height, width = image.shape[:2]
    frame = replace(look.frame, image=image, camera=Camera(width, height, matrix, camera.distortion, camera.metric))
    moved = (points.points.astype(np.float64) * scale + offset).astype(np.float32)
    return replace(look, frame=frame, track=replace(look.track, landmarks=Landmarks(moved, points.confidence)))


def _change(line: Line, read: Callable[..., FloatArray], look: Look, moved: Look) -> float:
    """The largest difference of a value, each look fitted anew as in a first frame."""
    before, after = (read(None, [_fitted(line, each)])[0] for each in (look, moved))
    return float(np.abs(after - before).max())


def _fitted(line: Line, look: Look) -> Look:
    line.fitter.reset()
    return replace(look, fit=line.fitter(look.frame, [look.track])[0])


def _near(line: Line, person: Person) -> Look | None:
    expression = sample_expression(person.rng, line.drawn.expression_names, MIXTURE)
    pose = pose_of(10.0, 5.0, 5.0, _NEAR)
    return line(person.shown(expression, pose, Light.random(person.rng)), expression)


def _turned(line: Line, person: Person) -> tuple[Look | None, list[list[Look]]]:
    """The person at rest, and each expression in every pose; expressions that FaceMesh does not see in one are left
    out."""
    names, light = line.drawn.expression_names, Light.random(person.rng)

    def look(expression: FloatArray, yaw: float) -> Look | None:
        return line(person.shown(expression, pose_of(yaw, 0.0, 0.0, _USUAL), light), expression)

    rest = look(sample_expression(person.rng, names, NEUTRAL), 0.0)
    expressions = [sample_expression(person.rng, names, MIXTURE) for _ in range(_EXPRESSIONS)]
    moments = [[look(expression, yaw) for yaw in _YAWS] for expression in expressions]
    return rest, [seen for looks in moments if len(seen := [each for each in looks if each is not None]) == len(_YAWS)]
