"""What the head learns from: features and patches of all portraits, in memory, and their mirror images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import align, features
from face_expr_ros.perception.expression.patches import PARTS, cut_patches
from face_expr_ros.perception.landmarks import LANDMARK_COUNT
from face_expr_ros.training.expression.shards import Shard, read_shard
from face_expr_ros.training.expression.user_data import read_user_data

MARGIN = 4  # pixels of a stored patch on each side: room to shift it
_AHEAD, _ROUNDS = np.radians(20), 3  # faces of the canonical one, and rounds to find it
_FOLLOWED = 0.5  # of the portraits have points that go on towards where they truly are
# What FaceMesh leaves out of a movement on drawn faces, at most: nearly all where brows, nose and cheeks move.
_LEFT_OUT, _HARDLY_FOLLOWED, _MOSTLY_LEFT_OUT = 0.4, ("brow", "noseSneer", "cheekSquint"), 0.8
_REST = 1e-3  # an expression whose blendshapes are all below is none; the eyes may look anywhere


@dataclass(frozen=True)
class Samples:
    """N portraits as the head sees them.

    Attributes:
        features: (N, FEATURES) float32, see `alignment.features`.
        patches: (N, P, SIDE + 2 MARGIN, SIDE + 2 MARGIN) uint8.
        expression: (N, E) float32 truth; NaN where it is not known.
        angles: (N, 2) float32 yaw and pitch, radians.
        person: (N,) who it is.
    """

    features: NDArray[np.float32]
    patches: NDArray[np.uint8]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]
    person: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> Samples:
        """Those samples alone."""
        return Samples(*(getattr(self, name)[chosen] for name in Samples.__dataclass_fields__))


def load_samples(paths: Iterable[Path], canonical: FloatArray) -> Samples:
    """All portraits of some shards, or of files as `user_data` reads."""
    parts = [_samples_of(_read(path), canonical) for path in progress(list(paths), "reading", unit="shards")]
    return Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in Samples.__dataclass_fields__))


def _read(path: Path) -> Shard:
    return read_shard(path) if path.is_dir() else read_user_data(path)


def _samples_of(shard: Shard, canonical: FloatArray) -> Samples:
    aligned = [align(points, canonical) for points in shard.landmarks]
    rows = zip(shard.image, shard.landmarks, aligned, strict=True)
    return Samples(
        features=np.array([features(alignment, canonical) for alignment in aligned], np.float32),
        patches=np.stack([cut_patches(np.asarray(row[0]), *row[1:], margin=MARGIN) for row in rows]),
        expression=shard.expression,
        angles=shard.angles,
        person=shard.person,
    )


def canonical_face(paths: Iterable[Path], start: FloatArray) -> FloatArray:
    """(478, 3) the mean of FaceMesh's points on people at rest who look ahead, alike on both sides, meters.

    FaceMesh does not put its points exactly where a face model has them; what it says of a mean face is the better
    measure of its other answers.

    Args:
        start: (478, 3) the same points on the mean face of a model.

    Raises:
        ValueError: nobody is.
    """
    twin, points = mirrored_points(start), _ahead_at_rest(paths)
    if not points:
        raise ValueError("nobody in the portraits looks ahead at rest: draw more people")
    canonical = start
    for _ in range(_ROUNDS):
        mean = np.mean([align(face, canonical).points for face in points], axis=0)
        canonical = (mean + mean[twin] * np.array([-1.0, 1.0, 1.0])) / 2
    return canonical


def _ahead_at_rest(paths: Iterable[Path]) -> list[NDArray[np.float32]]:
    names = open_face_model("open").expression_names
    found = []
    for shard in map(read_shard, paths):
        ahead = np.abs(shard.angles).max(axis=1) < _AHEAD
        found += list(shard.landmarks[ahead & at_rest(shard.expression, names)])
    return found


def left_out(movements: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float32]:
    """(E, M) of movements (E, M) of the landmarks with each blendshape, what FaceMesh may leave out on drawn faces.

    It follows drawn faces less than real ones, brows least of all. A head that learned from drawn faces alone would not
    believe the landmarks of a real one; see `followed`.
    """
    parts = [_MOSTLY_LEFT_OUT if name.startswith(_HARDLY_FOLLOWED) else _LEFT_OUT for name in names]
    return np.asarray(np.array(parts)[:, None] * movements, np.float32)


def followed(
    features: NDArray[np.float32],
    expression: NDArray[np.float32],
    movements: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Features (N, F) as of a FaceMesh that follows some of the faces more closely.

    Args:
        expression: (N, E) what was drawn.
        movements: (E, M) by how much the first M features change at most with each blendshape; see `left_out`.
    """
    share = rng.random(len(features)) * (rng.random(len(features)) < _FOLLOWED)
    added = (share[:, None] * np.nan_to_num(expression)).astype(np.float32) @ movements
    result = features.copy()
    result[:, : movements.shape[1]] += added
    return result


def even_basis(features: NDArray[np.float32], count: int = 200, noise: float = 0.03) -> NDArray[np.float32]:
    """(F, count) principal directions of features (N, F), each divided by how far the features spread along it.

    Args:
        noise: centimeters of spread that are no news; smaller spreads are not raised to others' size.
    """
    centered = features - features.mean(axis=0)
    variances, directions = np.linalg.eigh(centered.T @ centered / len(features))
    chosen = np.argsort(variances)[::-1][:count]
    return np.asarray(directions[:, chosen] / np.sqrt(np.maximum(variances[chosen], 0) + noise**2), np.float32)


def at_rest(expression: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(N,) which of the expressions (N, E) are none; the eyes may look anywhere."""
    shown = [not name.startswith("eyeLook") for name in names]
    return np.asarray((np.nan_to_num(expression[:, shown], nan=1.0) < _REST).all(axis=1))


class RestFinder:
    """Finds a portrait of the same person at rest for every portrait that has one.

    Args:
        person: (N,) who it is. rest: (N,) who is at rest.
    """

    def __init__(self, person: NDArray[np.int64], rest: NDArray[np.bool_]) -> None:
        self._rests = {who: np.flatnonzero(rest & (person == who)) for who in np.unique(person[rest])}
        self._person = person

    def __call__(self, indices: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """(n,) for each of the portraits (n,) another one at rest, or -1."""
        return np.array([self._another(index, rng) for index in indices])

    def _another(self, index: int, rng: np.random.Generator) -> int:
        others = self._rests.get(self._person[index], np.zeros(0, np.int64))
        others = others[others != index]
        return int(rng.choice(others)) if len(others) else -1


@dataclass(frozen=True)
class Mirror:
    """How features, patches and blendshapes change in the mirror: ``x[:, order] * sign`` for features, order alone for
    the others; patches that are not stored mirrored are turned over (`turned`)."""

    features: NDArray[np.int64]
    sign: NDArray[np.float32]
    patches: NDArray[np.int64]
    turned: NDArray[np.bool_]
    expression: NDArray[np.int64]


def mirror_of(canonical: FloatArray, names: tuple[str, ...]) -> Mirror:
    """The mirror of a face with these canonical points (478, 3) and blendshapes.

    Raises:
        ValueError: the points do not mirror onto each other.
    """
    points = np.append(mirrored_points(canonical), LANDMARK_COUNT)  # the direction to the viewer mirrors like a point
    order = (3 * points[:, None] + np.arange(3)).ravel()
    sign = np.tile(np.array([-1.0, 1.0, 1.0], np.float32), len(points))
    parts = list(PARTS)
    patches = np.array([parts.index(_other_side(name, "left", "right", parts)) for name in parts])
    turned = np.array([patches[index] == index for index in range(len(parts))])
    expression = np.array([names.index(_other_side(name, "Left", "Right", names)) for name in names])
    return Mirror(order, sign, patches, turned, expression)


def _other_side(name: str, left: str, right: str, names: Iterable[str]) -> str:
    swapped = name.replace(left, "\0").replace(right, left).replace("\0", right)
    return swapped if swapped in names else name


def mirrored_points(canonical: FloatArray) -> NDArray[np.int64]:
    """(478,) the point on the other side of each: the assignment with the least distances.

    Raises:
        ValueError: they are not each other's.
    """
    distances = np.linalg.norm(canonical[:, None] * np.array([-1.0, 1.0, 1.0]) - canonical[None], axis=2)
    twin = linear_sum_assignment(distances**2)[1]
    if (twin[twin] != np.arange(len(twin))).any():
        raise ValueError("the canonical points do not mirror onto each other one to one")
    return np.asarray(twin)
