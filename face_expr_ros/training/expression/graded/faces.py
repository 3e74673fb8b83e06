"""Faces as the fusion sees them, in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.training.expression.samples import Mirror

Floats = NDArray[np.float32]

_SIDED = {"blinkL": "blinkR", "blinkR": "blinkL"}
_SIGNED = ("mouthSide", "gazeH")  # grades that change their sign in the mirror


@dataclass(frozen=True)
class Faces:
    """N faces.

    Attributes:
        features: (N, FEATURES), see `alignment.features`.
        patches: (N, P, SIDE + 2 MARGIN, SIDE + 2 MARGIN) uint8.
        fit, head: (N, E) the two estimates of the blendshapes, 0..1.
        state: (N, S) of the head.
        truth: (N, C) grades by column of the rubric, NaN where not known; or (N, E) blendshapes that were rendered.
        teacher: (N, E) another reader's blendshapes, for what grades say nothing of.
        weight: (N,) how much a face counts.
        group: (N,) the picture of which a face is a copy, or the person who was rendered.
    """

    features: Floats
    patches: NDArray[np.uint8]
    fit: Floats
    head: Floats
    state: Floats
    truth: Floats
    teacher: Floats
    weight: Floats
    group: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Faces:
        """Those faces alone."""
        return Faces(*(getattr(self, field.name)[chosen] for field in fields(self)))


def joined(parts: list[Faces]) -> Faces:
    """All of them; the same number of a group in two parts is not the same group."""
    starts = np.cumsum([0] + [int(part.group.max()) + 1 for part in parts])
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Faces)}
    columns["group"] = [group + start for group, start in zip(columns["group"], starts, strict=False)]
    return Faces(**{name: np.concatenate(arrays) for name, arrays in columns.items()})


def write_faces(path: Path, faces: Faces) -> None:
    """Write them; the file is there completely or not at all."""
    unfinished = path.with_suffix(".part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(unfinished, **{field.name: getattr(faces, field.name) for field in fields(faces)})
    unfinished.replace(path)


def read_faces(path: Path) -> Faces:
    """What `write_faces` wrote."""
    with np.load(path) as arrays:
        return Faces(**{field.name: arrays[field.name] for field in fields(Faces)})


def mirrored_grades(grades: Floats) -> Floats:
    """(N, C) grades as of the mirror images."""
    columns = list(COLUMNS)
    order = [columns.index(_SIDED.get(column, column)) for column in columns]
    sign = np.array([-1.0 if column in _SIGNED else 1.0 for column in columns], np.float32)
    return np.asarray(grades[:, order] * sign, np.float32)


def mirrored_faces(faces: Faces, mirror: Mirror, graded: bool) -> Faces:
    """The faces in the mirror; ``graded`` says whether their truth is grades."""
    patches = faces.patches[:, mirror.patches]
    patches[:, mirror.flipped] = patches[:, mirror.flipped, :, ::-1]
    estimates = {name: getattr(faces, name)[:, mirror.expression] for name in ("fit", "head", "teacher")}
    return Faces(
        features=np.asarray(faces.features[:, mirror.features] * mirror.sign, np.float32),
        patches=patches,
        state=faces.state,  # only the linear part reads it, and that sees no mirror images
        truth=mirrored_grades(faces.truth) if graded else faces.truth[:, mirror.expression],
        weight=faces.weight,
        group=faces.group,
        **estimates,
    )
