"""Faces with one eye of another person: winks, one raised brow and unequal lids are rare in graded portraits.

The parts of the inputs that show one eye with its brow are replaced by those of a donor: FaceMesh's points, the patch
of the eye, its place in the patch of the face, and the estimates of its blendshapes. The expression head reads the
result again. Grades of a single eye come from the donor, those of both eyes are averaged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.expression.head import ExpressionHead, read_canonical
from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.perception.landmarks.facemesh import appearance_of_eye
from face_expr_ros.training.expression.graded.faces import Faces, Floats
from face_expr_ros.training.expression.samples import MARGIN

_SIDES = {"Left": ("left_eye", "blinkL"), "Right": ("right_eye", "blinkR")}
_STEMS = ("eyeBlink", "eyeLook", "eyeSquint", "eyeWide", "browDown", "browOuterUp")
_AVERAGED = ("eyeWide", "squint", "browInnerUp", "browOuterUp", "browDown", "gazeH", "gazeV")
_FEATHER = 4.0  # pixels
_CLOSED, _OPEN = 2.0, 0.5  # grades of the donor's and the other eye, if they differ
_UNEQUAL = 0.6  # fraction of the pairs of an open and a closed eye
_AT_ONCE = 256


def mixed(faces: Faces, count: int, names: tuple[str, ...], rng: np.random.Generator) -> Faces:
    """``count`` of the faces with one eye of another one."""
    chosen, donors = _pairs(faces, count, rng)
    left = rng.random(count) < 0.5
    result = faces.part(chosen)
    for side, mask in (("Left", left), ("Right", ~left)):
        _replace_eye(result, faces.part(donors), np.flatnonzero(mask), side, names)
    return _read_again(result)


def _pairs(faces: Faces, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(count,) faces and donors: pairs of an open and a closed eye, and random ones."""
    columns = list(COLUMNS)
    lids = faces.truth[:, [columns.index("blinkL"), columns.index("blinkR")]]
    closed, opened = np.flatnonzero((lids >= _CLOSED).all(axis=1)), np.flatnonzero((lids <= _OPEN).all(axis=1))
    pairs = rng.integers(0, len(lids), (2, count))
    if len(closed) and len(opened):
        unequal = np.flatnonzero(rng.random(count) < _UNEQUAL)
        both = np.array([rng.choice(closed, len(unequal)), rng.choice(opened, len(unequal))])
        turned = rng.random(len(unequal)) < 0.5
        pairs[:, unequal] = np.where(turned, both[::-1], both)
    return pairs[0], pairs[1]


def _replace_eye(faces: Faces, donors: Faces, rows: NDArray[np.int64], side: str, names: tuple[str, ...]) -> None:
    """Replace the eye of one side in the faces' ``rows``, in place."""
    part, lid = _SIDES[side]
    canonical, columns, parts = read_canonical(), list(COLUMNS), list(PARTS)
    center, half = _center(canonical, part), PARTS[part].size / 2
    if faces.appearance.shape[1]:
        eye = appearance_of_eye(0 if side == "Right" else 1)
        faces.appearance[np.ix_(rows, eye)] = donors.appearance[np.ix_(rows, eye)]
    inside = (np.abs(canonical[:, :2] - center) < half).all(axis=1)
    features = (3 * np.flatnonzero(inside)[:, None] + np.arange(3)).ravel()
    faces.features[np.ix_(rows, features)] = donors.features[np.ix_(rows, features)]
    faces.patches[rows, parts.index(part)] = donors.patches[rows, parts.index(part)]
    whole = parts.index("face")
    offset = (center - _center(canonical, "face")) / PARTS["face"].size * SIDE
    mask = _mask(offset, half / PARTS["face"].size * SIDE)
    faces.patches[rows, whole] = _pasted(faces.patches[rows, whole], donors.patches[rows, whole], mask)
    sided = np.array([index for index, name in enumerate(names) if name.startswith(_STEMS) and name.endswith(side)])
    for ours, theirs in ((faces.fit, donors.fit), (faces.head, donors.head), (faces.teacher, donors.teacher)):
        ours[np.ix_(rows, sided)] = theirs[np.ix_(rows, sided)]
        inner = names.index("browInnerUp")
        ours[rows, inner] = (ours[rows, inner] + theirs[rows, inner]) / 2
    both = np.array([columns.index(column) for column in _AVERAGED])
    mean = (faces.truth[np.ix_(rows, both)] + donors.truth[np.ix_(rows, both)]) / 2
    faces.truth[np.ix_(rows, both)] = mean
    faces.truth[rows, columns.index(lid)] = donors.truth[rows, columns.index(lid)]
    faces.weight[rows] = np.minimum(faces.weight[rows], donors.weight[rows])


def _center(canonical: FloatArray, part: str) -> FloatArray:
    """(2,) center of a patch on the canonical face, meters."""
    place = PARTS[part]
    ends = canonical[[place.points[0], place.points[-1]], :2]
    return np.asarray(ends.mean(axis=0) + place.offset)


def _mask(offset: FloatArray, half: float) -> Floats:
    """(S, S) weight of the donor in the patch of the face, for an eye at ``offset`` (x right, y up) from its center."""
    side = SIDE + 2 * MARGIN
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    distance = np.maximum(np.abs(x - offset[0]), np.abs(y + offset[1]))
    return np.clip((half - distance) / _FEATHER + 0.5, 0.0, 1.0).astype(np.float32)


def _pasted(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], mask: Floats) -> NDArray[np.uint8]:
    """Patches (n, S, S) with the donors' where the mask is 1, in our brightness and contrast there."""
    a, b, share = ours.astype(np.float32), theirs.astype(np.float32), mask / mask.sum()
    mean_a, mean_b = ((each * share).sum(axis=(1, 2), keepdims=True) for each in (a, b))
    spread_a, spread_b = (
        np.sqrt((share * (each - mean) ** 2).sum(axis=(1, 2), keepdims=True)) + 1.0
        for each, mean in ((a, mean_a), (b, mean_b))
    )
    fitted = mean_a + (b - mean_b) * np.clip(spread_a / spread_b, 0.5, 2.0)
    return np.clip(a + mask * (fitted - a), 0, 255).astype(np.uint8)


def _read_again(faces: Faces) -> Faces:
    """The faces with the expression head's blendshapes and states for their new points and patches."""
    head, values, states = ExpressionHead(), [], []
    patches = faces.patches[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    for first in range(0, len(patches), _AT_ONCE):
        block = slice(first, first + _AT_ONCE)
        read = head.answer(faces.features[block], patches[block].astype(np.float32), [None] * len(patches[block]))
        values.append(read[0].astype(np.float32))
        states.append(read[1].astype(np.float32))
    return replace(faces, head=np.concatenate(values), state=np.concatenate(states))
