"""Verbs that train the networks of the open bundle on rendered faces: synthesize, train."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_expr_ros.cli.common import json_option, write_json
from face_expr_ros.cli.outputs import check_outputs
from face_expr_ros.core.resources import resource_path

if TYPE_CHECKING:
    from face_expr_ros.training.tddfa.config import TrainingConfig

# Size of the training set of the expression head in weights/.
PORTRAITS = 65_280
_SHEET = 48  # pictures on a contact sheet
TRAIN_EXPRESSION = "config/train_expression.yaml"
TRAIN_TDDFA = "config/train_tddfa.yaml"
TRAIN_FUSION = "config/train_fusion.yaml"

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
_processes = click.option(
    "--processes",
    default=os.cpu_count() or 1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of rendering processes.",
)
_existing = click.Path(exists=True, file_okay=False, path_type=Path)
_materials = click.option(
    "--materials", type=_existing, help="Folder of skin textures (skins/) and environment maps (hdri/) for the renders."
)
_portraits = click.option(
    "--portraits", type=_existing, help="Folder of photographs of faces, one face each, used unchanged and turned."
)


@click.command()
@_folder
@click.option(
    "--for",
    "network",
    type=click.Choice(["expression", "tddfa", "sheet"]),
    default="expression",
    show_default=True,
    help="Network: expression renders portraits with their FaceMesh landmarks, tddfa renders face crops; "
    "sheet renders a contact sheet of photographs, beside those of --portraits.",
)
@click.option(
    "--count",
    default=PORTRAITS,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of images to render; a contact sheet has at most 48.",
)
@_materials
@_portraits
@_processes
@json_option
def synthesize(
    folder: Path, network: str, count: int, materials: Path | None, portraits: Path | None, processes: int,
    json_file: Path | None,
) -> int:  # fmt: skip
    """Render training images with known ground truth.

    Images that are already in FOLDER are counted and not rendered again. With --for tddfa --portraits, the images are
    made from photographs: unchanged, and turned to profile.
    """
    check_outputs([materials, portraits], {"--json": json_file})
    if network == "sheet":
        return _contact_sheet(folder, count, materials, portraits, json_file)
    if network == "expression":
        if portraits:
            raise click.UsageError("--portraits requires --for tddfa")
        from face_expr_ros.training.expression.shards import synthesize as render_expression

        result = render_expression(folder, count, processes, materials=materials)
    elif portraits is not None:
        from face_expr_ros.training.tddfa.portrait_shards import synthesize_portraits

        result = synthesize_portraits(folder, portraits, count, processes)
    else:
        from face_expr_ros.training.tddfa.synthesize import synthesize as render

        result = render(folder, count, processes, materials)
    click.echo(f"{result['drawings']} faces in {result['folder']}, {result['new']} of them new")
    write_json(json_file, result)
    return 0


def _contact_sheet(
    folder: Path, count: int, materials: Path | None, portraits: Path | None, json_file: Path | None
) -> int:
    """Write a contact sheet of at most `_SHEET` renders and print its files."""
    if materials is None:
        raise click.UsageError("--for sheet requires --materials")
    from face_expr_ros.training.contact_sheet import write_contact_sheet

    written = write_contact_sheet(folder, min(count, _SHEET), materials, portraits)
    for path in written:
        click.echo(path)
    write_json(json_file, {"files": [str(path) for path in written]})
    return 0


@click.group()
def train() -> None:
    """Train the networks of the open bundle; requires PyTorch.

    Install PyTorch with: pip install torch
    """


@train.command()
@_folder
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Training settings (YAML).  [default: those of the packaged weights]",
)
@_materials
@_portraits
@click.option(
    "--initial",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Exported network to continue from, with its .npz file next to it; overrides the settings.",
)
@_processes
@json_option
def tddfa(
    folder: Path, config_file: Path | None, materials: Path | None, portraits: Path | None, initial: Path | None,
    processes: int, json_file: Path | None,
) -> int:  # fmt: skip
    """Train and export the TDDFA network.

    Training images, checkpoints and the exported network are written to FOLDER; an interrupted run resumes.
    """
    from face_expr_ros.training.tddfa.config import read_training_config

    config_file = config_file or resource_path(TRAIN_TDDFA)
    check_outputs([config_file, materials, portraits, initial], {"--json": json_file})
    config = read_training_config(config_file)
    if initial is not None:
        config = replace(config, initial=str(initial))
    result = _train_tddfa(folder, config, materials, portraits, processes)
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
    help="Training settings (YAML); the default trains the packaged weights.",
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Output folder; overrides the settings."
)
@click.option(
    "--task",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MediaPipe's face_landmarker.task, the teacher of the blendshapes without grades.",
)
@json_option
def fusion(portraits: Path, config_file: Path, folder: Path | None, task: Path | None, json_file: Path | None) -> int:
    """Train and export the learned fusion.

    PORTRAITS is a folder of graded portraits. Rendered faces, checkpoints and the exported network are written to the
    folder; an interrupted run resumes.
    """
    check_outputs([portraits, config_file, task], {"--json": json_file})
    result = _train_fusion(portraits, config_file, folder, task)
    if "held_out" in result:
        click.echo(f"mean correlation on held-out portraits: {result['held_out']['mean_r']:.3f}")
    for name, file in result["files"].items():
        click.echo(f"{name}: {file['bytes']:,} bytes, sha256 {file['sha256']}")
    write_json(json_file, result)
    return 0


def _train_fusion(portraits: Path, config_file: Path, folder: Path | None, task: Path | None) -> dict[str, Any]:
    from face_expr_ros.training.expression.config import read_settings
    from face_expr_ros.training.expression.graded.config import FusionTraining
    from face_expr_ros.training.expression.shards import synthesize

    try:
        train_fusion = import_module("face_expr_ros.training.expression.graded.run").train_fusion
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"training requires PyTorch, {error.name} is not installed: pip install torch"
        ) from error
    config = read_settings(FusionTraining, config_file)
    config = config if folder is None else replace(config, folder=str(folder))
    synthesize(Path(config.folder) / "portraits", config.rendered, config.processes)
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


def _train_tddfa(
    folder: Path, config: TrainingConfig, materials: Path | None, portraits: Path | None, processes: int
) -> dict[str, Any]:
    from face_expr_ros.training.tddfa.portrait_shards import synthesize_portraits
    from face_expr_ros.training.tddfa.surroundings import write_surroundings
    from face_expr_ros.training.tddfa.synthesize import synthesize as render

    train, export = _import_training("face_expr_ros.training.tddfa")
    from face_expr_ros.training.tddfa.loader import DRAWINGS, PORTRAITS, SURROUNDINGS
    from face_expr_ros.training.tddfa.network import INPUT_SIZE

    render(folder / DRAWINGS, config.drawings, processes, materials)
    if portraits is not None:
        synthesize_portraits(folder / PORTRAITS, portraits, config.turned, processes)
        write_surroundings(folder / SURROUNDINGS, portraits, INPUT_SIZE)
    result = train.train(folder, folder, config)
    return {"held_out": result, "files": export.export(folder, folder)}
