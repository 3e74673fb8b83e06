"""Training samples of the expression head, in memory: features and patches of all portraits, and how to mirror them."""

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

MARGIN = 4  # extra pixels on each side of a stored patch, for random shifts
_FRONTAL_ANGLE, _ITERATIONS = np.radians(20), 3  # of the faces averaged to the canonical face, and of the averaging
_AUGMENTED_SHARE = 0.5  # fraction of the portraits whose landmarks are moved towards their true positions
# Maximum fraction of a movement that FaceMesh misses on synthetic faces; higher for brows, nose and cheeks.
_MISSED_SHARE, _POORLY_TRACKED, _POORLY_TRACKED_MISSED_SHARE = 0.4, ("brow", "noseSneer", "cheekSquint"), 0.8
_MAX_NEUTRAL_VALUE = 1e-3  # blendshapes of a neutral expression are below this value, except gaze


@dataclass(frozen=True)
class Samples:
    """Network inputs and targets of N portraits.

    Attributes:
        features: (N, FEATURES) float32, see `alignment.features`.
        patches: (N, P, SIDE + 2 MARGIN, SIDE + 2 MARGIN) uint8.
        expression: (N, E) float32 true blendshapes, NaN where unknown.
        angles: (N, 2) float32 yaw and pitch, radians.
        person: (N,) index of the person.
    """

    features: NDArray[np.float32]
    patches: NDArray[np.uint8]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]
    person: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> Samples:
        """The samples where ``chosen`` (N,) is true."""
        return Samples(*(getattr(self, name)[chosen] for name in Samples.__dataclass_fields__))


def load_samples(paths: Iterable[Path], canonical: FloatArray) -> Samples:
    """Samples of all portraits in shards (folders) or in files in the format of `user_data`."""
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
    """(478, 3) mean FaceMesh landmarks of neutral frontal faces, symmetric, meters.

    FaceMesh has systematic offsets from the points of a face model, so its own mean is the better reference for its
    landmarks.

    Args:
        start: (478, 3) the same points on the mean face of a model.

    Raises:
        ValueError: there are no neutral frontal portraits.
    """
    twin, points = mirror_indices(start), _neutral_frontal_landmarks(paths)
    if not points:
        raise ValueError("expected neutral frontal portraits, got none: render more portraits")
    canonical = start
    for _ in range(_ITERATIONS):
        mean = np.mean([align(face, canonical).points for face in points], axis=0)
        canonical = (mean + mean[twin] * np.array([-1.0, 1.0, 1.0])) / 2
    return canonical


def _neutral_frontal_landmarks(paths: Iterable[Path]) -> list[NDArray[np.float32]]:
    names = open_face_model("open").expression_names
    found = []
    for shard in map(read_shard, paths):
        frontal = np.abs(shard.angles).max(axis=1) < _FRONTAL_ANGLE
        found += list(shard.landmarks[frontal & is_neutral(shard.expression, names)])
    return found


def missed_movements(movements: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float32]:
    """The part of landmark movements (E, M), one row per blendshape, that FaceMesh may miss on synthetic faces.

    FaceMesh underestimates movements on synthetic faces more than on real ones, most of all those of the brows. A head
    trained on its landmarks without correction would rely on them too little; see `add_missed_movements`.
    """
    shares = [_POORLY_TRACKED_MISSED_SHARE if name.startswith(_POORLY_TRACKED) else _MISSED_SHARE for name in names]
    return np.asarray(np.array(shares)[:, None] * movements, np.float32)


def add_missed_movements(
    features: NDArray[np.float32],
    expression: NDArray[np.float32],
    movements: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Augment features (N, F): add a random part of the missed movements to some of the portraits.

    Args:
        expression: (N, E) true blendshapes.
        movements: (E, M) largest change of the first M features with each blendshape, from `missed_movements`.
    """
    share = rng.random(len(features)) * (rng.random(len(features)) < _AUGMENTED_SHARE)
    added = (share[:, None] * np.nan_to_num(expression)).astype(np.float32) @ movements
    result = features.copy()
    result[:, : movements.shape[1]] += added
    return result


def whitening_basis(features: NDArray[np.float32], count: int = 200, noise: float = 0.03) -> NDArray[np.float32]:
    """(F, count) principal directions of features (N, F), each divided by the standard deviation along it.

    Args:
        noise: centimeters, standard deviation of noise that is added in quadrature; it limits the gain of directions
            with little variance.
    """
    centered = features - features.mean(axis=0)
    variances, directions = np.linalg.eigh(centered.T @ centered / len(features))
    chosen = np.argsort(variances)[::-1][:count]
    return np.asarray(directions[:, chosen] / np.sqrt(np.maximum(variances[chosen], 0) + noise**2), np.float32)


def is_neutral(expression: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(N,) whether each of the expressions (N, E) is neutral; gaze is ignored."""
    counted = [not name.startswith("eyeLook") for name in names]
    return np.asarray((np.nan_to_num(expression[:, counted], nan=1.0) < _MAX_NEUTRAL_VALUE).all(axis=1))


class NeutralFinder:
    """Finds another portrait of the same person with a neutral expression.

    Args:
        person: (N,) index of the person. neutral: (N,) whether the portrait is neutral.
    """

    def __init__(self, person: NDArray[np.int64], neutral: NDArray[np.bool_]) -> None:
        self._neutrals = {index: np.flatnonzero(neutral & (person == index)) for index in np.unique(person[neutral])}
        self._person = person

    def __call__(self, indices: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """(n,) index of a random other neutral portrait for each of the portraits (n,), or -1."""
        return np.array([self._another(index, rng) for index in indices])

    def _another(self, index: int, rng: np.random.Generator) -> int:
        others = self._neutrals.get(self._person[index], np.zeros(0, np.int64))
        others = others[others != index]
        return int(rng.choice(others)) if len(others) else -1


@dataclass(frozen=True)
class Mirror:
    """Permutations that mirror features (with `sign`), patches and blendshapes; patches in `flipped` are also flipped
    horizontally, the others are stored mirrored for one side already."""

    features: NDArray[np.int64]
    sign: NDArray[np.float32]
    patches: NDArray[np.int64]
    flipped: NDArray[np.bool_]
    expression: NDArray[np.int64]


def mirror_of(canonical: FloatArray, names: tuple[str, ...]) -> Mirror:
    """The mirror permutations for canonical points (478, 3) and blendshape names.

    Raises:
        ValueError: the points do not mirror onto each other one to one.
    """
    points = np.append(mirror_indices(canonical), LANDMARK_COUNT)  # the view direction mirrors like a point
    order = (3 * points[:, None] + np.arange(3)).ravel()
    sign = np.tile(np.array([-1.0, 1.0, 1.0], np.float32), len(points))
    parts = list(PARTS)
    patches = np.array([parts.index(_other_side(name, "left", "right", parts)) for name in parts])
    flipped = np.array([patches[index] == index for index in range(len(parts))])
    expression = np.array([names.index(_other_side(name, "Left", "Right", names)) for name in names])
    return Mirror(order, sign, patches, flipped, expression)


def _other_side(name: str, left: str, right: str, names: Iterable[str]) -> str:
    swapped = name.replace(left, "\0").replace(right, left).replace("\0", right)
    return swapped if swapped in names else name


def mirror_indices(canonical: FloatArray) -> NDArray[np.int64]:
    """(478,) index of each point's mirror image: the assignment that minimizes the squared distances.

    Raises:
        ValueError: the points do not mirror onto each other one to one.
    """
    distances = np.linalg.norm(canonical[:, None] * np.array([-1.0, 1.0, 1.0]) - canonical[None], axis=2)
    twin = linear_sum_assignment(distances**2)[1]
    if (twin[twin] != np.arange(len(twin))).any():
        raise ValueError("expected canonical points that mirror onto each other one to one, got an asymmetric face")
    return np.asarray(twin)
