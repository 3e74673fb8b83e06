"""Making the project's own networks: drawing rendered faces and training on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import json_option, write_json

# What the weights in weights/ were trained on.
DRAWINGS = 122_880

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
_count = click.option(
    "--count", default=DRAWINGS, show_default=True, type=click.IntRange(min=1536), help="Faces to draw."
)
_processes = click.option(
    "--processes", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1), help="For drawing."
)


@click.command()
@_folder
@_count
@_processes
@json_option
def synthesize(folder: Path, count: int, processes: int, json_file: Path | None) -> int:
    """Draw faces with known pose, shape and expression into FOLDER, for training; what is there already counts."""
    from face_expr_ros.training.tddfa.synthesize import synthesize as draw

    result = draw(folder, count, processes)
    click.echo(f"{result['drawings']} faces in {result['folder']}, {result['new']} of them new")
    write_json(json_file, result)
    return 0


@click.group()
def train() -> None:
    """Train a network of the bundle open, on rendered faces only. Needs PyTorch: pip install torch."""


@train.command()
@_folder
@_count
@_processes
@click.option("--steps", type=click.IntRange(min=1), help="Batches; without it, as many as the weights in the package.")
@json_option
def tddfa(folder: Path, count: int, processes: int, steps: int | None, json_file: Path | None) -> int:
    """Draw the faces, train the TDDFA network on them and export it, all in FOLDER; begun work goes on."""
    result = _train_tddfa(folder, count, processes, steps)
    for name, file in result["files"].items():
        click.echo(f"{folder / name}: {file['bytes']:,} bytes, sha256 {file['sha256']}")
    write_json(json_file, result)
    return 0


def _train_tddfa(folder: Path, count: int, processes: int, steps: int | None) -> dict[str, Any]:
    try:
        from face_expr_ros.training.tddfa import train as tddfa
        from face_expr_ros.training.tddfa.export import export
    except ModuleNotFoundError as error:
        raise click.UsageError(f"training needs PyTorch, {error.name} is not installed: pip install torch") from error
    from face_expr_ros.training.tddfa.synthesize import synthesize as draw

    draw(folder / "drawings", count, processes)
    config = tddfa.TrainingConfig(**({} if steps is None else {"steps": steps}))
    result = tddfa.train(folder / "drawings", folder, config)
    return {"held_out": result, "files": export(folder, folder)}
