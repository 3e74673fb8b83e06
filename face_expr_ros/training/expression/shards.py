"""Synthetic portraits on disk, in numbered shards; the number seeds the shard, so rendering can resume anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.landmarks import open_landmarks
from face_expr_ros.synthetic.materials import open_materials
from face_expr_ros.synthetic.variety import varied_appearance
from face_expr_ros.training.expression.scenes import Portrait, render_portraits
from face_expr_ros.training.shard_files import finished_shards, shard_path

PEOPLE = 20  # per shard
PORTRAITS = 24  # per person
MANIFEST = "manifest.json"
_FIRST_APPEARANCE_SEED = 1_000_000  # apart from the seeds of TDDFA's training
_ARRAYS = ("image", "landmarks", "expression", "angles")


@dataclass(frozen=True)
class Shard:
    """Stacked portraits: image (N, S, S) uint8, landmarks (N, 478, 3), expression (N, E), angles (N, 2) and
    person (N,), the index of the person."""

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]
    person: NDArray[np.int64]


def synthesize(
    folder: Path, count: int, processes: int, first: int = 0, people: int = PEOPLE, materials: Path | None = None
) -> dict[str, Any]:
    """Render about ``count`` portraits into ``folder``, from shard ``first`` on; existing shards are kept.

    Args:
        people: number of people per shard.
        materials: folder of photographed skins and environments, see `synthetic.materials`; None for painted skins.
    Returns:
        ``folder``, ``drawings`` (number of portraits in the folder) and ``new`` (number rendered by this call). The
        file `MANIFEST` in the folder lists the shards.
    """
    numbers = range(first, first + -(-count // (people * PORTRAITS)))
    missing = [number for number in numbers if not shard_path(folder, number).exists()]
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(render_shard, folder, number, people, materials) for number in missing]
        for job in progress(as_completed(jobs), "rendering", len(jobs)):
            job.result()
    portraits = _write_manifest(folder)
    new = sum(portraits[shard_path(folder, number).name] for number in missing)
    return {"folder": str(folder), "drawings": sum(portraits.values()), "new": new}


def render_shard(folder: Path, number: int, people: int = PEOPLE, materials: Path | None = None) -> None:
    """Render shard ``number``, reproducibly, and write it atomically."""
    path = shard_path(folder, number)
    unfinished = path.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    portraits = list(_render(number, people, materials))
    for name in _ARRAYS:
        np.save(unfinished / f"{name}.npy", np.stack([getattr(portrait, name) for _, portrait in portraits]))
    np.save(unfinished / "person.npy", np.array([person for person, _ in portraits], np.int64))
    os.replace(unfinished, path)


def _render(number: int, people: int, materials: Path | None) -> Iterator[tuple[int, Portrait]]:
    model, detector = open_face_model("open"), open_landmarks(LandmarksConfig())
    opened = None if materials is None else open_materials(materials)
    for person in range(number * people, (number + 1) * people):
        rng = np.random.default_rng([person, 17])
        appearance = varied_appearance(_FIRST_APPEARANCE_SEED + person)
        portraits = render_portraits(model, detector, appearance, rng, PORTRAITS, opened)
        yield from ((person, portrait) for portrait in portraits)
    detector.close()


def read_shard(path: Path) -> Shard:
    """Read a shard; its images are memory-mapped."""
    arrays = {name: np.load(path / f"{name}.npy") for name in (*_ARRAYS[1:], "person")}
    return Shard(image=np.load(path / "image.npy", mmap_mode="r"), **arrays)


def _write_manifest(folder: Path) -> dict[str, int]:
    """Write the number of portraits per shard and the blendshape names; return the former."""
    portraits = {path.name: len(np.load(path / "person.npy")) for path in finished_shards(folder)}
    names = open_face_model("open").expression_names
    text = json.dumps({"expression": names, "portraits": portraits}, indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return portraits
