"""What an expression head has to beat: a straight line through landmarks, and MediaPipe's own blendshapes.

The ridge regression (Hoerl and Kennard, 1970) sees what the head sees of the landmarks: FaceMesh's points laid on a
canonical face by points that expressions do not move. With a known rest it also sees how far they have moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.linalg import solve

from face_expr_ros.core.atomic_files import atomic_path
from face_expr_ros.core.face_model import read_arrays, write_arrays
from face_expr_ros.core.progress import progress
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.expression.people import Look
from face_expr_ros.evaluation.expression.readers import PersonReader
from face_expr_ros.models.bundle import open_face_model, package_file, write_hash
from face_expr_ros.perception.expression.alignment import align, features
from face_expr_ros.training.expression.shards import Shard, finished_shards, read_shard

RIDGE = "weights/expression_ridge.npz"
_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)  # tried; features are in centimeters
_VALIDATION = 10  # every so many-th person chooses among them
_KINDS = ("alone", "with_rest")


@dataclass(frozen=True)
class Ridge:
    """Two linear readers of aligned landmarks.

    Attributes:
        names: (E,) of the blendshapes.
        alone: (F + 1, E) weights of the features and, last, the constant.
        with_rest: (2 F + 1, E) the same, after the features how much they differ from those at rest.
    """

    names: tuple[str, ...]
    alone: FloatArray
    with_rest: FloatArray

    def read(self, rest: Look | None, looks: Sequence[Look]) -> FloatArray:
        """(n, E) in 0..1."""
        seen = np.stack([_features(_points(look)) for look in looks])
        if rest is None:
            return np.clip(_linear(seen, self.alone), 0.0, 1.0)
        return np.clip(_linear(_beside_rest(seen, _features(_points(rest))), self.with_rest), 0.0, 1.0)


def open_ridge() -> Ridge:
    """The regression that is part of this package. Raises BundleError when its file is missing or damaged."""
    path = package_file("expression_ridge", "regression")
    arrays = read_arrays(path.read_bytes(), path)
    alone, with_rest = (arrays[kind].astype(np.float64) for kind in _KINDS)
    return Ridge(tuple(map(str, arrays["names"])), alone, with_rest)


def write_ridge(path: Path, ridge: Ridge) -> None:
    """Half precision is enough for a baseline. Where this is the package's own file, the manifest gets its hash."""
    arrays = {kind: getattr(ridge, kind).astype(np.float16) for kind in _KINDS}
    with atomic_path(path) as draft:
        write_arrays(draft, {"names": np.array(ridge.names), **arrays})
    if path.resolve() == resource_path(RIDGE).resolve():
        write_hash(path)


def fit_ridge(folder: Path) -> Ridge:
    """A regression on the drawn people of a folder; one of a few strengths, by the error for every tenth person.

    Raises:
        ValueError: there are no portraits in the folder.
    """
    shards = finished_shards(folder)
    if not shards:
        raise ValueError(f"{folder} has no finished shard of portraits; draw some with face_expr synthesize expression")
    names = open_face_model("open").expression_names
    sums = {(kind, part): _Sums() for kind in _KINDS for part in ("training", "validation")}
    for path in progress(shards, "shards", len(shards), "shards"):
        shard = read_shard(path)
        seen = np.stack([_features(points) for points in shard.landmarks])
        held_out = shard.person % _VALIDATION == 0
        rests = _rests(shard, names)
        known = rests >= 0
        labeled = np.isfinite(shard.expression).all(axis=1)
        for part, rows in (("training", labeled & ~held_out), ("validation", labeled & held_out)):
            sums["alone", part].add(seen[rows], shard.expression[rows])
            both = rows & known
            sums["with_rest", part].add(_beside_rest(seen[both], seen[rests[both]]), shard.expression[both])
    alone, with_rest = (_best(sums[kind, "training"], sums[kind, "validation"]) for kind in _KINDS)
    return Ridge(names, alone, with_rest)


class _Sums:
    """The products that a linear regression needs, summed over its data, a constant beside the features."""

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
        """Sum of the squared errors."""
        explained = 2 * (weights * self.both).sum() - (weights * (self.inputs @ weights)).sum()
        return float(self.outputs.sum() - explained)


def _best(training: _Sums, validation: _Sums) -> FloatArray:
    """The weights of the strength with the least error in the validation."""
    free = np.append(np.ones(len(training.inputs) - 1), 0.0)  # the constant is not held back
    tried = [
        solve(training.inputs + np.diag(strength * free), training.both, assume_a="pos") for strength in _STRENGTHS
    ]
    return min(tried, key=validation.error)


def _rests(shard: Shard, names: Sequence[str]) -> np.ndarray:
    """(N,) for every portrait the index of another one of the same person at rest; -1 where there is none."""
    moves = [index for index, name in enumerate(names) if "Look" not in name]  # the gaze is never quite still
    is_neutral = np.flatnonzero(shard.expression[:, moves].max(axis=1) == 0.0)  # a value that is not known is not 0
    rests = np.full(len(shard.person), -1)
    for index, person in enumerate(shard.person):
        others = is_neutral[(shard.person[is_neutral] == person) & (is_neutral != index)]
        if len(others):
            rests[index] = others[index % len(others)]
    return rests


def _beside_rest(seen: FloatArray, rest: FloatArray) -> FloatArray:
    return np.hstack([seen, seen - rest])


def _linear(features: FloatArray, weights: FloatArray) -> FloatArray:
    return features @ weights[:-1] + weights[-1]


def _points(look: Look) -> FloatArray:
    assert look.track.landmarks is not None  # a look has landmarks
    return look.track.landmarks.points


def _features(points: FloatArray) -> FloatArray:
    canonical = _canonical()
    return features(align(points, canonical), canonical)


@cache
def _canonical() -> FloatArray:
    """(478, 3) the open model's mean face, as FaceMesh sees it."""
    model = open_face_model("open")
    return model.facemesh_points(model.mean).astype(np.float64)


def through_mediapipe(task: Path, names: Sequence[str]) -> PersonReader:
    """MediaPipe's own blendshapes, from the whole picture; where there is a rest, its values are taken off.

    Raises:
        ValueError: the task's file cannot be read.
    """
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

    landmarker = MediapipeBlendshapes(task, video=False)

    def one(look: Look) -> FloatArray:
        seen = landmarker(look.frame.image) or {}
        return np.array([seen.get(name, 0.0) for name in names])

    def read(rest: Look | None, looks: Sequence[Look]) -> FloatArray:
        values = np.stack([one(look) for look in looks])
        return values if rest is None else np.clip(values - one(rest), 0.0, 1.0)

    return read
