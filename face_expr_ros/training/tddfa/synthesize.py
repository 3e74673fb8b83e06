"""Renders the training set in parallel; existing shards are kept."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from face_expr_ros.core.progress import progress
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.materials import open_materials
from face_expr_ros.training.shard_files import shard_path
from face_expr_ros.training.tddfa.points import learned_points
from face_expr_ros.training.tddfa.shards import SHARD_SIZE, render_shard, write_shard


def synthesize(folder: Path, count: int, processes: int, materials: Path | None = None) -> dict[str, Any]:
    """Render at least ``count`` faces into ``folder``; existing shards are kept.

    Args:
        materials: folder of photographed skins and environments, see `synthetic.materials`; None for painted skins.

    Returns:
        ``folder``, ``drawings`` (number of faces) and ``new`` (number rendered by this call).
    """
    numbers = range(-(-count // SHARD_SIZE))
    missing = [number for number in numbers if not shard_path(folder, number).exists()]
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(_render_and_write, folder, number, materials) for number in missing]
        for job in progress(as_completed(jobs), "rendering", len(jobs)):
            job.result()
    return {"folder": str(folder), "drawings": len(numbers) * SHARD_SIZE, "new": len(missing) * SHARD_SIZE}


def _render_and_write(folder: Path, number: int, materials: Path | None) -> None:
    model = open_face_model("open")
    opened = None if materials is None else open_materials(materials)
    write_shard(folder, number, list(render_shard(model, learned_points(model), number, opened)))
