"""Baselines for the expression head: ridge regression on landmarks, and MediaPipe's own blendshapes.

The ridge regression (Hoerl and Kennard, 1970) has the head's landmark features as input: FaceMesh landmarks aligned to
a canonical face by points that expressions do not move. With a known neutral expression, the difference to the neutral
features is an additional input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve

from face_expr_ros.core.atomic_files import atomic_path
from face_expr_ros.core.face_model import read_arrays, write_arrays
from face_expr_ros.core.progress import progress
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.readers import PersonReader
from face_expr_ros.evaluation.expression.synthetic_people import Observation
from face_expr_ros.models.bundle import open_face_model, package_file, write_hash
from face_expr_ros.perception.expression.alignment import align, features
from face_expr_ros.perception.mediapipe_version import require_mediapipe
from face_expr_ros.training.expression.shards import Shard, read_shard
from face_expr_ros.training.shard_files import finished_shards

if TYPE_CHECKING:
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

RIDGE = "weights/expression_ridge.npz"
_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)  # candidates; features are in centimeters
_VALIDATION = 10  # every tenth person is used for the selection
# Attribute name -> name of the array in the file.
_KINDS = {"without_neutral": "alone", "with_neutral": "with_rest"}


@dataclass(frozen=True)
class Ridge:
    """Linear regressions from aligned landmarks to blendshapes, without and with a known neutral expression.

    Attributes:
        names: (E,) names of the blendshapes.
        without_neutral: (F + 1, E) weights of the features, and the intercept as the last row.
        with_neutral: (2 F + 1, E) weights of the features and of their differences to the neutral ones, and the
            intercept.
    """

    names: tuple[str, ...]
    without_neutral: FloatArray
    with_neutral: FloatArray

    def read(self, neutral: Observation | None, observations: Sequence[Observation]) -> FloatArray:
        """Blendshapes (n, E) in 0..1."""
        inputs = np.stack([_features(_points(observation)) for observation in observations])
        if neutral is None:
            return np.clip(_linear(inputs, self.without_neutral), 0.0, 1.0)
        return np.clip(_linear(_with_difference(inputs, _features(_points(neutral))), self.with_neutral), 0.0, 1.0)


def open_ridge() -> Ridge:
    """The regression of this package. Raises BundleError if its file is missing or damaged."""
    path = package_file("expression_ridge", "regression")
    arrays = read_arrays(path.read_bytes(), path)
    without_neutral, with_neutral = (arrays[name].astype(np.float64) for name in _KINDS.values())
    return Ridge(tuple(map(str, arrays["names"])), without_neutral, with_neutral)


def write_ridge(path: Path, ridge: Ridge) -> None:
    """Write a regression in half precision; for the package's own file, update the hash in the manifest."""
    arrays = {name: getattr(ridge, kind).astype(np.float16) for kind, name in _KINDS.items()}
    with atomic_path(path) as draft:
        write_arrays(draft, {"names": np.array(ridge.names), **arrays})
    if path.resolve() == resource_path(RIDGE).resolve():
        write_hash(path)


def fit_ridge(folder: Path) -> Ridge:
    """Fit a regression to the synthetic portraits of a folder; every tenth person selects the regularization.

    Raises:
        ValueError: there are no portraits in the folder.
    """
    shards = finished_shards(folder)
    if not shards:
        raise ValueError(
            f"expected rendered portraits in {str(folder)!r}, got none: run face_expr synthesize {folder} first"
        )
    names = open_face_model("open").expression_names
    sums = {(kind, part): _Sums() for kind in _KINDS for part in ("training", "validation")}
    for path in progress(shards, "shards", len(shards), "shards"):
        shard = read_shard(path)
        inputs = np.stack([_features(points) for points in shard.landmarks])
        held_out = shard.person % _VALIDATION == 0
        neutrals = _neutral_indices(shard, names)
        known = neutrals >= 0
        labeled = np.isfinite(shard.expression).all(axis=1)
        for part, rows in (("training", labeled & ~held_out), ("validation", labeled & held_out)):
            sums["without_neutral", part].add(inputs[rows], shard.expression[rows])
            both = rows & known
            differences = _with_difference(inputs[both], inputs[neutrals[both]])
            sums["with_neutral", part].add(differences, shard.expression[both])
    without_neutral, with_neutral = (_best(sums[kind, "training"], sums[kind, "validation"]) for kind in _KINDS)
    return Ridge(names, without_neutral, with_neutral)


class _Sums:
    """Accumulated normal equations of a linear regression with intercept."""

    def __init__(self) -> None:
        self.inputs: FloatArray = np.zeros(())
        self.both: FloatArray = np.zeros(())
        self.outputs: FloatArray = np.zeros(())

    def add(self, features: FloatArray, values: FloatArray) -> None:
        x = np.column_stack([features, np.ones(len(features))])
        y = values.astype(np.float64)
        self.inputs, self.both = self.inputs + x.T @ x, self.both + x.T @ y
        self.outputs = self.outputs + (y**2).sum(axis=0)

    def error(self, weights: FloatArray) -> float:
        """Sum of squared errors of some weights on the accumulated data."""
        explained = 2 * (weights * self.both).sum() - (weights * (self.inputs @ weights)).sum()
        return float(self.outputs.sum() - explained)


def _best(training: _Sums, validation: _Sums) -> FloatArray:
    """The weights of the regularization strength with the smallest validation error."""
    penalized = np.append(np.ones(len(training.inputs) - 1), 0.0)  # the intercept is not regularized
    candidates = [
        solve(training.inputs + np.diag(strength * penalized), training.both, assume_a="pos") for strength in _STRENGTHS
    ]
    return min(candidates, key=validation.error)


def _neutral_indices(shard: Shard, names: Sequence[str]) -> np.ndarray:
    """(N,) index of another, neutral portrait of the same person for each portrait, or -1."""
    moves = [index for index, name in enumerate(names) if "Look" not in name]  # a neutral face has a small gaze
    is_neutral = np.flatnonzero(shard.expression[:, moves].max(axis=1) == 0.0)  # NaN (unknown) is not 0
    found = np.full(len(shard.person), -1)
    for index, person in enumerate(shard.person):
        others = is_neutral[(shard.person[is_neutral] == person) & (is_neutral != index)]
        if len(others):
            found[index] = others[index % len(others)]
    return found


def _with_difference(inputs: FloatArray, neutral: FloatArray) -> FloatArray:
    return np.hstack([inputs, inputs - neutral])


def _linear(features: FloatArray, weights: FloatArray) -> FloatArray:
    return features @ weights[:-1] + weights[-1]


def _points(observation: Observation) -> FloatArray:
    assert observation.track.landmarks is not None  # an observation has landmarks
    return observation.track.landmarks.points


def _features(points: FloatArray) -> FloatArray:
    canonical = _canonical()
    return features(align(points, canonical), canonical)


@cache
def _canonical() -> FloatArray:
    """(478, 3) FaceMesh points of the open model's mean face, meters."""
    model = open_face_model("open")
    return model.facemesh_points(model.mean).astype(np.float64)


def mediapipe_reader(task: Path, names: Sequence[str]) -> PersonReader:
    """MediaPipe's own blendshapes from the whole image, minus those of the neutral image if it is known.

    Raises:
        ValueError: the task file cannot be read.
    """
    landmarker = open_mediapipe(task, video=False)

    def one(observation: Observation) -> FloatArray:
        found = landmarker(observation.frame.image) or {}
        return np.array([found.get(name, 0.0) for name in names])

    def read(neutral: Observation | None, observations: Sequence[Observation]) -> FloatArray:
        values = np.stack([one(observation) for observation in observations])
        return values if neutral is None else np.clip(values - one(neutral), 0.0, 1.0)

    return read


def open_mediapipe(task: Path, *, video: bool = True, max_faces: int = 1) -> MediapipeBlendshapes:
    """MediaPipe's blendshapes, see `MediapipeBlendshapes`. Raises ConfigError if MediaPipe is not installed."""
    require_mediapipe("--task", "the comparison with MediaPipe", "to leave it out", solutions=False)
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

    return MediapipeBlendshapes(task, video=video, max_faces=max_faces)
