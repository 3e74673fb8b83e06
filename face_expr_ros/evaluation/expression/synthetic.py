"""Drawn people that no training saw: what is read of their expressions, against what was drawn.

Each person is seen at rest once, then in other expressions; pose, light, place and noise are different in every
picture. Every reader sees the same pictures through the same detector, landmarks and fit, once with the picture at rest
as the known neutral and once without. Half of the expressions are one movement alone, all as often, so that each of the
52 is there to be seen; the rest are natural mixtures and moments of an act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.config import ExpressionConfig, PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.baselines import open_ridge, through_mediapipe
from face_expr_ros.evaluation.expression.people import Line, Look, Person
from face_expr_ros.evaluation.expression.readers import PersonReader, through_stage
from face_expr_ros.evaluation.expression.scores import GROUPS, scores
from face_expr_ros.perception.expression import open_expression
from face_expr_ros.training.expression.expressions import MIXTURE, NEUTRAL, SCRIPT, SINGLE, sample_expression

FRAMES = 1440
PICTURES = 24  # of a person, the one at rest included
_KINDS = (SINGLE, MIXTURE, SINGLE, SCRIPT, SINGLE, MIXTURE)  # in turn
_TRIES = 5  # pictures at rest, until the face is found in one

# Least correlation with a known neutral that the head is made for; left and right each.
AIMS = {
    **dict.fromkeys(("mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight"), 0.9),
    **dict.fromkeys(("jawOpen", "eyeBlink", "mouthSmile"), 0.9),
    **dict.fromkeys(("browInnerUp", "browDown", "browOuterUp", "eyeWide", "jawLeft", "jawRight"), 0.75),
    **dict.fromkeys(("mouthFrown", "mouthUpperUp"), 0.75),
    **dict.fromkeys(("cheekPuff", "noseSneer", "eyeSquint"), 0.5),
}


def aim(name: str) -> float | None:
    """The correlation that a blendshape should reach; None where no figure was set."""
    return AIMS.get(name, AIMS.get(name.removesuffix("Left").removesuffix("Right")))


def evaluate_synthetic(config: PerceptionConfig, frames: int = FRAMES, task: Path | None = None) -> dict[str, Any]:
    """The scores of the configured reader and of the baselines.

    Args:
        config: of the pipeline; the landmark fit is left out where its face model lacks ARKit's basis.
        frames: pictures in all, `PICTURES` of a person.
        task: MediaPipe's face_landmarker.task, for its own blendshapes; None leaves them out.

    Returns:
        people, frames, found, reader; the reader's scores with a known neutral (`mae`, the mean; `mae_by_name`,
        `correlation`, `r2`, `mean`, `groups`), `without_neutral`, `baselines` by name, `weak` and `aims`.
    """
    line = Line(config)
    names = line.drawn.expression_names
    readers = _readers(config, line, names, task)
    truth: list[FloatArray] = []
    values: dict[str, list[FloatArray]] = {name: [] for name in (*readers, *map(_alone, readers))}
    people = max(1, round(frames / PICTURES))
    for number in progress(range(people), "drawn people", people, "people"):
        rest, looks = _see(line, Person(line.drawn, number))
        if rest is None or not looks:
            continue
        truth.append(np.stack([look.expression for look in looks]))
        for name, read in readers.items():
            values[name].append(read(rest, looks))
            values[_alone(name)].append(read(None, looks))
    line.close()
    if not truth:
        raise RuntimeError(f"no face was found in the pictures of {people} drawn people")
    counts = {"people": len(truth), "frames": people * (PICTURES - 1), "found": sum(map(len, truth))}
    everything = {name: np.concatenate(rows) for name, rows in values.items()}
    return {**counts, "reader": config.expression.backend, **_result(names, np.concatenate(truth), everything)}


def _readers(config: PerceptionConfig, line: Line, names: Sequence[str], task: Path | None) -> dict[str, PersonReader]:
    """The configured reader first, by the name "reader", then what it is compared with."""
    readers = {"reader": through_stage(open_expression(config.expression, line.model, line.fitter), names)}
    if line.model.expression_names == line.drawn.expression_names:
        fit = open_expression(ExpressionConfig(backend="coefficients"), line.model, line.fitter)
        readers["landmark_fit"] = through_stage(fit, names)
    readers["ridge"] = open_ridge().read
    if task is not None:
        readers["mediapipe"] = through_mediapipe(task, names)
    return readers


def _alone(name: str) -> str:
    return f"{name}_without_neutral"


def _see(line: Line, person: Person) -> tuple[Look | None, list[Look]]:
    """The person at rest, and in other expressions, as far as the face is found."""
    line.reset()
    names = line.drawn.expression_names

    def look(kind: str) -> Look | None:
        expression = sample_expression(person.rng, names, kind)
        return line(person.photographed(expression), expression)

    rest = next((found for _ in range(_TRIES) if (found := look(NEUTRAL)) is not None), None)
    others = [look(_KINDS[number % len(_KINDS)]) for number in range(PICTURES - 1)]
    return rest, [found for found in others if found is not None]


def _result(names: Sequence[str], truth: FloatArray, values: Mapping[str, FloatArray]) -> dict[str, Any]:
    by_reader = {name: scores(names, truth, read) for name, read in values.items()}
    by_reader["mean"] = scores(names, truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    own = by_reader.pop("reader")
    without = by_reader.pop(_alone("reader"))
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
    """Where the reader, with a known neutral, falls short by its correlation.

    Returns:
        below_aim: name -> the aim that it misses. not_better: baseline -> names that the baseline reads as well or
        better. groups_not_better: baseline -> groups, the same.
    """
    return {
        "below_aim": {
            name: wanted for name, r in own["correlation"].items() if (wanted := aim(name)) is not None and r < wanted
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
