"""Rendered training faces on disk, in numbered shards; the number seeds the shard, so rendering can resume anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.synthetic.materials import Materials
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.shard_files import shard_path
from face_expr_ros.training.tddfa.points import LearnedPoints
from face_expr_ros.training.tddfa.scenes import Rendering, render_person

SHARD_SIZE = 512  # renderings
_RENDERINGS_PER_APPEARANCE = 8


@dataclass(frozen=True)
class Shard:
    """Stacked renderings: images (N, S, S, 4) uint8, parameters (N, 12 + I + E), points (N, P, 2)."""

    images: NDArray[np.uint8]
    parameters: NDArray[np.float32]
    points: NDArray[np.float32]


def render_shard(
    model: MorphableModel, points: LearnedPoints, number: int, materials: Materials | None = None
) -> Iterator[Rendering]:
    """The renderings of shard ``number``; the same number gives the same renderings."""
    rng = np.random.default_rng([number, 3])
    for index in range(SHARD_SIZE // _RENDERINGS_PER_APPEARANCE):
        appearance = varied_appearance(number * SHARD_SIZE + index)
        yield from render_person(model, points, appearance, rng, _RENDERINGS_PER_APPEARANCE, materials)


def write_shard(folder: Path, number: int, renderings: list[Rendering]) -> None:
    """Write a shard atomically."""
    path = shard_path(folder, number)
    unfinished = path.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name in ("image", "parameters", "points"):
        np.save(unfinished / f"{name}.npy", np.stack([getattr(rendering, name) for rendering in renderings]))
    os.replace(unfinished, path)


def read_shard(path: Path) -> Shard:
    """Read a shard; its images are memory-mapped."""
    images = np.load(path / "image.npy", mmap_mode="r")
    return Shard(images, np.load(path / "parameters.npy"), np.load(path / "points.npy"))
