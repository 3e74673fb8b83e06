"""Blendshapes of synthetic people who are not in the training data, compared with ground truth.

Each person is rendered once with a neutral expression and then with others; pose, light, background and noise differ in
every image. All readers get the same images with the same detections, landmarks and fits, once with the neutral image
for calibration and once without. Half of the expressions are single movements, uniformly distributed, so that all 52
occur; the others are natural mixtures and scripted expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.config import ExpressionConfig, PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.baselines import mediapipe_reader, open_ridge
from face_expr_ros.evaluation.expression.readers import PersonReader, stage_reader
from face_expr_ros.evaluation.expression.scores import GROUPS, scores
from face_expr_ros.evaluation.expression.synthetic_people import Observation, PerceptionStages, SyntheticPerson
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.training.expression.expressions import MIXTURE, NEUTRAL, SCRIPT, SINGLE, sample_expression

FRAMES = 1440
PICTURES = 24  # images per person, including the neutral one
_KINDS = (SINGLE, MIXTURE, SINGLE, SCRIPT, SINGLE, MIXTURE)  # in turn
_TRIES = 5  # maximum number of neutral images until the face is found

# Minimum correlation, with a known neutral expression, that the head should reach; for left and right each.
TARGET_CORRELATIONS = {
    **dict.fromkeys(("mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight"), 0.9),
    **dict.fromkeys(("jawOpen", "eyeBlink", "mouthSmile"), 0.9),
    **dict.fromkeys(("browInnerUp", "browDown", "browOuterUp", "eyeWide", "jawLeft", "jawRight"), 0.75),
    **dict.fromkeys(("mouthFrown", "mouthUpperUp"), 0.75),
    **dict.fromkeys(("cheekPuff", "noseSneer", "eyeSquint"), 0.5),
}


def target_correlation(name: str) -> float | None:
    """The minimum correlation that a blendshape should reach; None if there is no target."""
    return TARGET_CORRELATIONS.get(name, TARGET_CORRELATIONS.get(name.removesuffix("Left").removesuffix("Right")))


def evaluate_synthetic(config: PerceptionConfig, frames: int = FRAMES, task: Path | None = None) -> dict[str, Any]:
    """Scores of the configured backend and of the baselines.

    Args:
        config: configuration of the pipeline; the landmark fit is left out if its face model lacks ARKit blendshapes.
        frames: total number of images, `PICTURES` per person.
        task: MediaPipe's face_landmarker.task for its own blendshapes; None leaves them out.

    Returns:
        ``people``, ``frames``, ``found``, ``reader``; the scores with a known neutral expression (``mae``, the mean;
        ``mae_by_name``, ``correlation``, ``r2``, ``mean``, ``groups``), ``without_neutral``, ``baselines`` by name and
        ``weak``, see `weaknesses`.
    """
    stages = PerceptionStages(config)
    names = stages.open_model.expression_names
    readers = _readers(config, stages, names, task)
    truth: list[FloatArray] = []
    values: dict[str, list[FloatArray]] = {name: [] for name in (*readers, *map(_key_without_neutral, readers))}
    people = max(1, round(frames / PICTURES))
    for number in progress(range(people), "synthetic people", people, "people"):
        neutral, observations = _observe(stages, SyntheticPerson(stages.open_model, number))
        if neutral is None or not observations:
            continue
        truth.append(np.stack([observation.expression for observation in observations]))
        for name, read in readers.items():
            values[name].append(read(neutral, observations))
            values[_key_without_neutral(name)].append(read(None, observations))
    stages.close()
    if not truth:
        raise RuntimeError(f"expected faces in the images of {people} synthetic people, found none")
    counts = {"people": len(truth), "frames": people * (PICTURES - 1), "found": sum(map(len, truth))}
    everything = {name: np.concatenate(rows) for name, rows in values.items()}
    return {**counts, "reader": config.expression.backend, **_result(names, np.concatenate(truth), everything)}


def _readers(
    config: PerceptionConfig, stages: PerceptionStages, names: Sequence[str], task: Path | None
) -> dict[str, PersonReader]:
    """The configured backend under the name "reader", and the baselines."""
    readers = {"reader": stage_reader(open_expression(config.expression, stages.model, stages.fitter), names)}
    if stages.model.expression_names == stages.open_model.expression_names:
        fit = open_expression(ExpressionConfig(backend="coefficients"), stages.model, stages.fitter)
        readers["landmark_fit"] = stage_reader(fit, names)
    readers["ridge"] = open_ridge().read
    if task is not None:
        readers["mediapipe"] = mediapipe_reader(task, names)
    return readers


def _key_without_neutral(name: str) -> str:
    return f"{name}_without_neutral"


def _observe(stages: PerceptionStages, person: SyntheticPerson) -> tuple[Observation | None, list[Observation]]:
    """The neutral observation and the others of a person, without images in which no face is found."""
    stages.reset()
    names = stages.open_model.expression_names

    def observe(kind: str) -> Observation | None:
        expression = sample_expression(person.rng, names, kind)
        return stages(person.render_noisy(expression), expression)

    neutral = next((found for _ in range(_TRIES) if (found := observe(NEUTRAL)) is not None), None)
    others = [observe(_KINDS[number % len(_KINDS)]) for number in range(PICTURES - 1)]
    return neutral, [found for found in others if found is not None]


def _result(names: Sequence[str], truth: FloatArray, values: Mapping[str, FloatArray]) -> dict[str, Any]:
    by_reader = {name: scores(names, truth, read) for name, read in values.items()}
    by_reader["mean"] = scores(names, truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    own = by_reader.pop("reader")
    without = by_reader.pop(_key_without_neutral("reader"))
    return {
        "mae": own["mean"]["mae"],
        "mae_by_name": own["mae"],
        **{name: own[name] for name in ("correlation", "r2", "mean", "groups")},
        "mean_correlation": own["mean"]["correlation"],
        "correlation_without_neutral": without["correlation"],
        "mean_correlation_without_neutral": without["mean"]["correlation"],
        "without_neutral": without,
        "baselines": by_reader,
        "weak": weaknesses(own, by_reader),
    }


def weaknesses(own: Mapping[str, Any], baselines: Mapping[str, Any]) -> dict[str, Any]:
    """Blendshapes with an insufficient correlation of the backend, with a known neutral expression.

    Returns:
        ``below_aim``: name -> target correlation that is not reached. ``not_better``: baseline -> names with at least
        the same correlation in the baseline. ``groups_not_better``: baseline -> groups, likewise.
    """
    return {
        "below_aim": {
            name: target
            for name, r in own["correlation"].items()
            if (target := target_correlation(name)) is not None and r < target
        },
        "not_better": {
            other: [name for name, r in own["correlation"].items() if r <= baseline["correlation"][name]]
            for other, baseline in baselines.items()
        },
        "groups_not_better": {
            other: [
                group
                for group in GROUPS
                if group in own["groups"]
                and own["groups"][group]["correlation"] <= baseline["groups"][group]["correlation"]
            ]
            for other, baseline in baselines.items()
        },
    }
