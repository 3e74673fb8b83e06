"""Verbs that train the networks of the open bundle on rendered faces: synthesize, train."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import json_option, write_json
from face_expr_ros.cli.outputs import check_outputs
from face_expr_ros.core.resources import resource_path

# Sizes of the training sets of the weights in weights/.
DRAWINGS = 122_880
PORTRAITS = 65_280
TRAIN_EXPRESSION = "config/train_expression.yaml"
TRAIN_FUSION = "config/train_fusion.yaml"

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
_count = click.option(
    "--count", default=DRAWINGS, show_default=True, type=click.IntRange(min=1536), help="Number of images to render."
)
_processes = click.option(
    "--processes",
    default=os.cpu_count() or 1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of rendering processes.",
)


@click.command()
@_folder
@click.option(
    "--for",
    "network",
    type=click.Choice(["expression", "tddfa"]),
    default="expression",
    show_default=True,
    help="Network: expression renders portraits with their FaceMesh landmarks, tddfa renders face crops.",
)
@click.option(
    "--count", default=PORTRAITS, show_default=True, type=click.IntRange(min=1), help="Number of images to render."
)
@_processes
@json_option
def synthesize(folder: Path, network: str, count: int, processes: int, json_file: Path | None) -> int:
    """Render training images with known ground truth.

    Images that are already in FOLDER are counted and not rendered again.
    """
    module = {"expression": "expression.shards", "tddfa": "tddfa.synthesize"}[network]
    result = import_module(f"face_expr_ros.training.{module}").synthesize(folder, count, processes)
    click.echo(f"{result['drawings']} faces in {result['folder']}, {result['new']} of them new")
    write_json(json_file, result)
    return 0


@click.group()
def train() -> None:
    """Train the networks of the open bundle; requires PyTorch.

    The training data are rendered faces only. Install PyTorch with: pip install torch
    """


@train.command()
@_folder
@_count
@_processes
@click.option("--steps", type=click.IntRange(min=1), help="Number of batches.  [default: as for the packaged weights]")
@json_option
def tddfa(folder: Path, count: int, processes: int, steps: int | None, json_file: Path | None) -> int:
    """Train and export the TDDFA network.

    Rendered faces, checkpoints and the exported network are written to FOLDER; an interrupted run resumes.
    """
    result = _train_tddfa(folder, count, processes, steps)
    for name, file in result["files"].items():
        click.echo(f"{folder / name}: {file['bytes']:,} bytes, sha256 {file['sha256']}")
    write_json(json_file, result)
    return 0


@train.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Training settings (YAML).  [default: {TRAIN_EXPRESSION} of this package]",
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Output folder; overrides the settings."
)
@click.option(
    "--extra",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Additional training data (.npz), see docs/training.md; may be repeated.",
)
@json_option
def expression(config_file: Path | None, folder: Path | None, extra: tuple[Path, ...], json_file: Path | None) -> int:
    """Train and export the expression head.

    Rendered faces, checkpoints and the exported network are written to the folder; an interrupted run resumes.
    """
    config_file = config_file or resource_path(TRAIN_EXPRESSION)
    check_outputs([config_file, *extra], {"--json": json_file})
    result = _train_expression(config_file, folder, extra)
    click.echo(f"mean correlation on held-out people: {result['held_out']['correlation']:.3f}")
    for name, file in result["files"].items():
        click.echo(f"{name}: {file['bytes']:,} bytes, sha256 {file['sha256']}")
    write_json(json_file, result)
    return 0


@train.command()
@click.argument("portraits", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=TRAIN_FUSION,
    show_default=True,
    help="Settings; those of the weights in the package.",
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Instead of the one in the settings.")
@click.option(
    "--task",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="face_landmarker.task, which teaches what grades say nothing of.",
)
@json_option
def fusion(portraits: Path, config_file: Path, folder: Path | None, task: Path | None, json_file: Path | None) -> int:
    """Train the learned fusion on the graded faces in PORTRAITS and on rendered ones; begun work goes on."""
    result = _train_fusion(portraits, config_file, folder, task)
    if "held_out" in result:
        click.echo(f"mean r on portraits it never saw: {result['held_out']['mean_r']:.3f}")
    for name, file in result["files"].items():
        click.echo(f"{name}: {file['bytes']:,} bytes, sha256 {file['sha256']}")
    write_json(json_file, result)
    return 0


def _train_fusion(portraits: Path, config_file: Path, folder: Path | None, task: Path | None) -> dict[str, Any]:
    from face_expr_ros.training.expression.config import read_settings
    from face_expr_ros.training.expression.graded.config import FusionTraining
    from face_expr_ros.training.expression.shards import synthesize as draw

    try:
        train_fusion = import_module("face_expr_ros.training.expression.graded.run").train_fusion
    except ModuleNotFoundError as error:
        raise click.UsageError(f"training needs PyTorch, {error.name} is not installed: pip install torch") from error
    config = read_settings(FusionTraining, config_file)
    config = config if folder is None else replace(config, folder=str(folder))
    draw(Path(config.folder) / "portraits", config.rendered, config.processes)
    result: dict[str, Any] = train_fusion(portraits, config, task)
    return result


def _train_expression(config_file: Path, folder: Path | None, extra: tuple[Path, ...]) -> dict[str, Any]:
    from face_expr_ros.training.expression.config import read_training_config
    from face_expr_ros.training.expression.shards import synthesize as render
    from face_expr_ros.training.expression.user_data import read_user_data

    train, export = _import_training("face_expr_ros.training.expression")
    config = read_training_config(config_file)
    if folder is not None:
        config = replace(config, folder=str(folder))
    for path in extra:  # reports errors before the long work
        read_user_data(path)
    work = Path(config.folder)
    render(work / "portraits", config.portraits, config.processes)
    held_out = train.train(config, extra)
    return {"held_out": held_out, "files": export.export(work, work)}


def _import_training(package: str) -> tuple[Any, Any]:
    """The modules ``train`` and ``export`` of a package, which require PyTorch."""
    try:
        return import_module(f"{package}.train"), import_module(f"{package}.export")
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"training requires PyTorch, {error.name} is not installed: pip install torch"
        ) from error


def _train_tddfa(folder: Path, count: int, processes: int, steps: int | None) -> dict[str, Any]:
    from face_expr_ros.training.tddfa.synthesize import synthesize as render

    train, export = _import_training("face_expr_ros.training.tddfa")
    render(folder / "drawings", count, processes)
    config = train.TrainingConfig(**({} if steps is None else {"steps": steps}))
    result = train.train(folder / "drawings", folder, config)
    return {"held_out": result, "files": export.export(folder, folder)}
