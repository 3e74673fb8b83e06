"""Paths of the numbered shards of a training set."""

from __future__ import annotations

from pathlib import Path


def shard_path(folder: Path, number: int) -> Path:
    """Path of shard ``number``."""
    return folder / f"shard_{number:05d}"


def finished_shards(folder: Path) -> list[Path]:
    """Paths of all complete shards, in order; incomplete ones have the suffix ``.part``."""
    return sorted(path for path in folder.glob("shard_*") if path.suffix == "")
