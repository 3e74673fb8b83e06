"""The drawn training set on disk: numbered shards, each made from its own number, so that a run can go on anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.tddfa.points import LearnedPoints
from face_expr_ros.training.tddfa.scenes import Drawing, draw_person

SHARD_SIZE = 512  # drawings
_DRAWINGS_OF_A_LOOK = 8


@dataclass(frozen=True)
class Shard:
    """Drawings stacked: images (N, S, S, 4) uint8, parameters (N, 12 + I + E), points (N, P, 2)."""

    images: NDArray[np.uint8]
    parameters: NDArray[np.float32]
    points: NDArray[np.float32]


def shard_path(folder: Path, number: int) -> Path:
    """Where shard ``number`` lies."""
    return folder / f"shard_{number:05d}"


def draw_shard(model: MorphableModel, points: LearnedPoints, number: int) -> Iterator[Drawing]:
    """The drawings of a shard: the same number gives the same drawings."""
    rng = np.random.default_rng([number, 3])
    for look in range(SHARD_SIZE // _DRAWINGS_OF_A_LOOK):
        appearance = varied_appearance(number * SHARD_SIZE + look)
        yield from draw_person(model, points, appearance, rng, _DRAWINGS_OF_A_LOOK)


def write_shard(folder: Path, number: int, drawings: list[Drawing]) -> None:
    """Write a shard; it is there completely or not at all."""
    path = shard_path(folder, number)
    unfinished = path.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name in ("image", "parameters", "points"):
        np.save(unfinished / f"{name}.npy", np.stack([getattr(drawing, name) for drawing in drawings]))
    os.replace(unfinished, path)


def read_shard(path: Path) -> Shard:
    """A shard, its images left on disk until they are used."""
    images = np.load(path / "image.npy", mmap_mode="r")
    return Shard(images, np.load(path / "parameters.npy"), np.load(path / "points.npy"))


def finished_shards(folder: Path) -> list[Path]:
    """All shards that are complete, in their order."""
    return sorted(path for path in folder.glob("shard_*") if path.suffix == "")
