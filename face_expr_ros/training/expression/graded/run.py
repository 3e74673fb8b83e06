"""``face_expr train fusion``: reads portraits and rendered faces, trains each network, calibrates and exports the mean.

Each network holds out another part of the portraits. Its values on that part, which it never saw, give the calibration
and the score.
"""

from __future__ import annotations

import functools
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model, sha256_of
from face_expr_ros.models.onnx_to_tflite import write_converted
from face_expr_ros.perception.expression.alignment import CENTIMETERS
from face_expr_ros.perception.expression.head import read_canonical
from face_expr_ros.training.expression.graded.appearance import AppearancePart, fit_appearance
from face_expr_ros.training.expression.graded.calibration import Curves, fit_curves
from face_expr_ros.training.expression.graded.config import FusionTraining
from face_expr_ros.training.expression.graded.export import NAME, Parts, write_fusion
from face_expr_ros.training.expression.graded.faces import Faces, joined, without_appearance
from face_expr_ros.training.expression.graded.grade_network import (
    GradeNetwork,
    Scaling,
    fit_scaling,
    read_grades_of,
    train_grades,
)
from face_expr_ros.training.expression.graded.grins import without_grins
from face_expr_ros.training.expression.graded.linear import LinearPart, blended, fit_linear
from face_expr_ros.training.expression.graded.mixed import mixed
from face_expr_ros.training.expression.graded.network import FusionNetwork
from face_expr_ros.training.expression.graded.portraits import read_portraits
from face_expr_ros.training.expression.graded.rendered import cached_renders
from face_expr_ros.training.expression.graded.train import (
    FusionRun,
    graded_score,
    originals,
    predicted,
    trained_network,
)
from face_expr_ros.training.expression.samples import mirror_of, missed_movements
from face_expr_ros.training.expression.train import held_out_mask

_RENDERS_HELD_OUT = 0.08  # fraction of the rendered people
CALIBRATION = "calibration.json"
_TWO_PASSES = 1.0  # weight of a portrait whose grades are the mean of two passes


@dataclass(frozen=True)
class _Data:
    """Portraits with the part that each belongs to (N,), edited ones, and rendered faces."""

    faces: Faces
    fold: NDArray[np.int64]
    edited: Faces | None
    edited_fold: NDArray[np.int64]
    rendered: Faces

    def plain(self, without: int | None) -> Faces:
        """The portraits outside the part ``without``."""
        return self.faces if without is None else self.faces.part(self.fold != without)

    def portraits(self, without: int | None, config: FusionTraining, names: tuple[str, ...]) -> Faces:
        """These and some with an eye of another one of them."""
        faces = self.plain(without)
        count = round(config.mixed * len(faces.group))
        rng = np.random.default_rng([config.seed, 9])
        return joined([faces, mixed(faces, count, names, rng)]) if count else faces

    def edits(self, without: int) -> list[Faces]:
        """The edited portraits outside a part; the list is empty if there are none."""
        return [] if self.edited is None else [self.edited.part(self.edited_fold != without)]


def train_fusion(portraits: Path, config: FusionTraining, task: Path | None = None) -> dict[str, Any]:
    """Train in ``config.folder`` and write the network there; resumes an interrupted run.

    Args:
        portraits: folder of graded portraits, see `portraits`.
        task: MediaPipe's face_landmarker.task, the teacher of the blendshapes without grades.

    Returns:
        The score on held-out portraits with two passes of grades, and the files with their sizes and hashes.

    Raises:
        ValueError: portraits or rendered faces are missing, or there are more networks than parts.
    """
    if config.members > config.folds:
        raise ValueError(f"expected at most as many members as folds ({config.folds}), got {config.members}")
    data, model = _read(portraits, config, task), open_face_model("open")
    names, numbers = model.expression_names, range(config.members)
    _train_members(portraits, config, task)
    members = [trained_network(_member(config, number).folder, len(names)) for number in numbers]
    held = [data.faces.part(data.fold == number) for number in numbers]
    scaling = fit_scaling(data.faces.part(originals(data.faces)))
    grades = [_grade_network(data, scaling, config, names, number) for number in numbers]
    shown = np.concatenate(
        [_held_out(data, config, names, number, members[number], scaling, grades[number]) for number in numbers]
    )
    curves = fit_curves(shown, joined(held).truth.astype(np.float64), names)
    write_curves(Path(config.folder) / CALIBRATION, curves, names)
    linear, appearance = _fit_linear_parts(data, None, config, names)
    parts = Parts(linear, appearance, scaling, grades)
    path = Path(config.folder) / f"{NAME}.onnx"
    write_fusion(
        members[: config.exported], parts, curves, names, path, {"bundle": model.name, "bundle_sha256": model.sha256}
    )
    paths = (path, write_converted(path))
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths}
    return {"held_out": held_out_score(curves(shown), joined(held), names), "files": files}


def _held_out(
    data: _Data,
    config: FusionTraining,
    names: tuple[str, ...],
    number: int,
    member: FusionNetwork,
    scaling: Scaling,
    grades: GradeNetwork,
) -> FloatArray:
    """Uncalibrated blendshapes (n, E) of the portraits that a network held out."""
    held = data.faces.part(data.fold == number)
    linear, appearance = _fit_linear_parts(data, number, config, names)
    seen = appearance(held), read_grades_of([grades], scaling, held)
    return without_grins(blended(predicted(member, held), linear(held), names, seen), names)


def _fit_linear_parts(
    data: _Data, without: int | None, config: FusionTraining, names: tuple[str, ...]
) -> tuple[LinearPart, AppearancePart]:
    """The linear parts, trained without a part of the portraits."""
    linear = fit_linear(data.portraits(without, config, names), data.rendered, config.copies, config.ridge)
    return linear, fit_appearance(data.plain(without), config.appearance_ridge, config.seed)


def _grade_network(
    data: _Data, scaling: Scaling, config: FusionTraining, names: tuple[str, ...], number: int
) -> GradeNetwork:
    """The grade network that holds out the part ``number``."""
    return train_grades(data.portraits(number, config, names), scaling, config.grade_steps, config.seed + number)


def held_out_score(values: FloatArray, faces: Faces, names: tuple[str, ...]) -> dict[str, Any]:
    """The score of blendshapes (N, E) on the original portraits whose grades have two passes."""
    first = originals(faces)
    sure = first[faces.weight[first] >= _TWO_PASSES]
    chosen = sure if len(sure) else first
    return graded_score(values[chosen], faces.part(chosen), names)


def _read(portraits: Path, config: FusionTraining, task: Path | None) -> _Data:
    work = Path(config.folder)
    faces, edited = read_portraits(
        portraits, work / "graded", config.copies, config.edited, task, config.processes
    )  # fmt: skip
    groups = np.unique(np.concatenate([faces.group] + ([] if edited is None else [edited.group])))
    fold = fold_of(groups, config.folds, config.seed)
    at = np.zeros(0, np.int64) if edited is None else fold[np.searchsorted(groups, edited.group)]
    rendered = cached_renders(work / "portraits", work / "rendered.npz")
    return _Data(faces, fold[np.searchsorted(groups, faces.group)], edited, at, rendered)


def _member(config: FusionTraining, number: int) -> FusionTraining:
    """The settings of one network: its seed and its folder."""
    return replace(config, folder=str(Path(config.folder) / f"member_{number}"), seed=config.seed + number)


def _train_members(portraits: Path, config: FusionTraining, task: Path | None) -> None:
    train = functools.partial(_train_member, portraits, config, task)
    if config.processes == 1:
        for number in range(config.members):
            train(number)
        return
    with ProcessPoolExecutor(min(config.processes, config.members)) as pool:
        list(pool.map(train, range(config.members)))


def _train_member(portraits: Path, config: FusionTraining, task: Path | None, number: int) -> None:
    """Train one network; it holds out the part ``number`` of the portraits."""
    data, model = _read(portraits, config, task), open_face_model("open")
    names = model.expression_names
    moved = CENTIMETERS * model.facemesh_points(model.expression).reshape(len(names), -1)
    mirror, movements = mirror_of(read_canonical(), names), missed_movements(moved.astype(np.float32), names)
    others = held_out_mask(data.rendered.group, _RENDERS_HELD_OUT)
    edits = [without_appearance(each) for each in data.edits(number)]
    graded = joined([without_appearance(data.portraits(number, config, names)), *edits])
    parts = graded, data.faces.part(data.fold == number), data.rendered.part(~others), data.rendered.part(others)
    FusionRun(_member(config, number), names, *parts, mirror, movements).go()


def fold_of(groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """(len(groups),) part of each portrait, at random, of equal sizes."""
    order = np.random.default_rng([seed, 7]).permutation(len(groups))
    fold = np.empty(len(groups), np.int64)
    fold[order] = np.arange(len(groups)) % folds
    return fold


def write_curves(path: Path, curves: Curves, names: tuple[str, ...]) -> None:
    """Write scale and offset by name, as JSON."""
    rows = zip(names, curves.scale.tolist(), curves.offset.tolist(), strict=True)
    text = json.dumps({name: [round(scale, 4), round(offset, 4)] for name, scale, offset in rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
