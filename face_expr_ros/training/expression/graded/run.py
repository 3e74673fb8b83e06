"""The steps of `face_expr train fusion`: read portraits and rendered faces, train, calibrate, export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.models.bundle import open_face_model, sha256_of
from face_expr_ros.perception.expression.alignment import CENTIMETERS
from face_expr_ros.perception.expression.head import read_canonical
from face_expr_ros.training.expression.graded.calibration import Curves, fit_curves
from face_expr_ros.training.expression.graded.config import FusionTraining
from face_expr_ros.training.expression.graded.export import NAME, write_fusion
from face_expr_ros.training.expression.graded.faces import Faces, read_faces, write_faces
from face_expr_ros.training.expression.graded.linear import blended, fit_linear
from face_expr_ros.training.expression.graded.portraits import Teacher, read_portraits
from face_expr_ros.training.expression.graded.rendered import read_rendered
from face_expr_ros.training.expression.graded.train import FusionRun, graded_score, predicted
from face_expr_ros.training.expression.samples import mirror_of, missed_movements
from face_expr_ros.training.expression.train import held_out_mask

_RENDERS_HELD_OUT = 0.08  # fraction of the rendered people
CALIBRATION = "calibration.json"


def train_fusion(portraits: Path, config: FusionTraining, task: Path | None = None) -> dict[str, Any]:
    """Train in ``config.folder`` and write the network there; resumes an interrupted run.

    Args:
        portraits: folder of graded portraits, see `portraits`.
        task: MediaPipe's face_landmarker.task, the teacher of the blendshapes without grades.

    Returns:
        The score on the held-out portraits, and the files with their sizes and hashes.

    Raises:
        ValueError: portraits or rendered faces are missing; or no portraits are held out and the folder has no
            calibration from an earlier run with held-out portraits.
    """
    work, model = Path(config.folder), open_face_model("open")
    faces = _portraits(portraits, work, config, task)
    canonical = read_canonical()
    rendered = read_rendered(work / "portraits", canonical)
    held_out = held_out_groups(faces.group, config.held_out, config.seed)
    others = held_out_mask(rendered.group, _RENDERS_HELD_OUT)
    moved = CENTIMETERS * model.facemesh_points(model.expression).reshape(len(model.expression), -1)
    mirror, movements = (
        mirror_of(canonical, model.expression_names),
        missed_movements(moved.astype(np.float32), model.expression_names),
    )
    parts = faces.part(~held_out), faces.part(held_out), rendered.part(~others), rendered.part(others)
    members = [
        FusionRun(_member(config, number), model.expression_names, *parts, mirror, movements).go()
        for number in range(config.members)
    ]
    linear = fit_linear(parts[0], parts[2], config.copies, config.ridge)
    result: dict[str, Any] = {}
    if held_out.any():
        seen = np.mean([predicted(network, parts[1]) for network in members], axis=0)
        shown = blended(seen, linear(parts[1]), model.expression_names)
        curves = fit_curves(shown, parts[1].truth.astype(np.float64), model.expression_names)
        write_curves(work / CALIBRATION, curves, model.expression_names)
        result["held_out"] = graded_score(curves(shown), parts[1], model.expression_names)
    path = work / f"{NAME}.onnx"
    metadata = {"bundle": model.name, "bundle_sha256": model.sha256}
    write_fusion(members, linear, read_curves(work / CALIBRATION), model.expression_names, path, metadata)
    return result | {"files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}}}


def _member(config: FusionTraining, number: int) -> FusionTraining:
    """The settings of one network: its seed and its folder, which differs when all portraits are trained on."""
    folder = Path(config.folder) / f"{'held_out' if config.held_out else 'all'}_{number}"
    return replace(config, folder=str(folder), seed=config.seed + number)


def _portraits(folder: Path, work: Path, config: FusionTraining, task: Path | None) -> Faces:
    """The portraits, cached in the output folder."""
    cache = work / f"portraits_{config.copies}.npz"
    if not cache.exists():
        write_faces(cache, read_portraits(folder, config.copies, _teacher(task)))
    return read_faces(cache)


def _teacher(task: Path | None) -> Teacher | None:
    if task is None:
        return None
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

    landmarker, names = MediapipeBlendshapes(task, video=False), open_face_model("open").expression_names

    def read(image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        seen = landmarker(image)
        return None if seen is None else np.array([seen.get(name, 0.0) for name in names])

    return read


def held_out_groups(group: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """(N,) mask of the faces of a random fraction of the groups."""
    groups = np.unique(group)
    order = np.random.default_rng([seed, 7]).permutation(len(groups))
    return np.isin(group, groups[order[: round(share * len(groups))]])


def write_curves(path: Path, curves: Curves, names: tuple[str, ...]) -> None:
    """Write scale and offset by name, as JSON."""
    rows = zip(names, curves.scale.tolist(), curves.offset.tolist(), strict=True)
    text = json.dumps({name: [round(scale, 4), round(offset, 4)] for name, scale, offset in rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def read_curves(path: Path) -> Curves:
    """Read curves from JSON. Raises ValueError if the file does not exist."""
    if not path.exists():
        raise ValueError(
            f"{str(path)!r} is missing: train with held_out above 0 once, so that the calibration is fitted on "
            f"held-out faces"
        )
    values = np.array(list(json.loads(path.read_text(encoding="utf-8")).values()), np.float64)
    return Curves(values[:, 0], values[:, 1])
