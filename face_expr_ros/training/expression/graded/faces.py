"""Inputs and targets of the fusion for a set of faces, in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.training.expression.samples import Mirror

Floats = NDArray[np.float32]

_SIDED = {"blinkL": "blinkR", "blinkR": "blinkL"}
_SIGNED = ("mouthSide", "gazeH")  # grades whose sign changes when mirrored


@dataclass(frozen=True)
class Faces:
    """N faces.

    Attributes:
        features: (N, FEATURES), see `alignment.features`.
        patches: (N, P, SIDE + 2 MARGIN, SIDE + 2 MARGIN) uint8.
        fit, head: (N, E) blendshapes estimated by the fit and the expression head, 0..1.
        state: (N, S) states of the expression head.
        truth: (N, C) grades by column of the rubric, NaN where unknown; or (N, E) blendshapes of rendered faces.
        teacher: (N, E) blendshapes from another estimator, used where there are no grades.
        weight: (N,) sample weights.
        group: (N,) index of the source image, or of the rendered person.
        appearance: (N, A) float16, FaceMesh's hidden features of graded faces; A is 0 for rendered ones.
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
    appearance: NDArray[np.float16]

    def part(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Faces:
        """The selected faces."""
        return Faces(*(getattr(self, field.name)[chosen] for field in fields(self)))


def without_appearance(faces: Faces) -> Faces:
    """The faces without the appearance, which the networks do not read."""
    return replace(faces, appearance=faces.appearance[:, :0])


def joined(parts: list[Faces]) -> Faces:
    """The faces of all parts, in order."""
    return Faces(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Faces)))


def write_chunk(path: Path, rows: list[Faces]) -> None:
    """Write faces, possibly none, to an .npz file atomically."""
    unfinished = path.with_suffix(".part.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(unfinished, **(vars(joined(rows)) if rows else {}))
    unfinished.replace(path)


def read_chunks(paths: list[Path]) -> Faces | None:
    """The faces in files written by `write_chunk`; None if there are none."""
    parts = []
    for path in paths:
        with np.load(path) as arrays:
            if arrays.files:
                parts.append(Faces(**{field.name: arrays[field.name] for field in fields(Faces)}))
    return joined(parts) if parts else None


def mirrored_grades(grades: Floats) -> Floats:
    """(N, C) grades of the mirrored faces."""
    columns = list(COLUMNS)
    order = [columns.index(_SIDED.get(column, column)) for column in columns]
    sign = np.array([-1.0 if column in _SIGNED else 1.0 for column in columns], np.float32)
    return np.asarray(grades[:, order] * sign, np.float32)


def mirrored_faces(faces: Faces, mirror: Mirror, graded: bool) -> Faces:
    """The mirrored faces; ``graded``: whether their truth is grades."""
    patches = faces.patches[:, mirror.patches]
    patches[:, mirror.flipped] = patches[:, mirror.flipped, :, ::-1]
    estimates = {name: getattr(faces, name)[:, mirror.expression] for name in ("fit", "head", "teacher")}
    return Faces(
        features=np.asarray(faces.features[:, mirror.features] * mirror.sign, np.float32),
        patches=patches,
        state=faces.state,  # like appearance, used only by the linear parts, which are not trained on mirrored faces
        truth=mirrored_grades(faces.truth) if graded else faces.truth[:, mirror.expression],
        weight=faces.weight,
        group=faces.group,
        appearance=faces.appearance,
        **estimates,
    )
