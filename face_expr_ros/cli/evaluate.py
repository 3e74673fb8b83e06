"""`face_expr evaluate PROTOCOL`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from face_expr_ros.cli.common import bundle_option, json_option, perception_config, print_result, write_json


@click.group()
def evaluate() -> None:
    """Measure accuracy against known truth."""


@evaluate.command()
@click.option("--frames", default=400, show_default=True, type=click.IntRange(min=1), help="Rendered people.")
@bundle_option
@json_option
def synthetic(frames: int, bundle: str, json_file: Path | None) -> int:
    """Rendered faces with known pose, shape and expression."""
    from face_expr_ros.evaluation.synthetic import evaluate as evaluate_synthetic

    result = asdict(evaluate_synthetic(perception_config(bundle), frames))
    print_result(result)
    write_json(json_file, result)
    return 0


@evaluate.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The original jpg and mat files, or images/ and ground_truth.npz.",
)
@bundle_option
@click.option("--fitter", help="How the face model is fitted: a value of fitting.backend.")
@click.option("--tracking", is_flag=True, help="Whole images through the pipeline, not the ground truth's crops.")
@click.option("--flip", is_flag=True, help="Average the landmarks with those of the mirror image.")
@click.option(
    "--field-of-view",
    default=25.0,
    show_default=True,
    help="Assumed, vertical, degrees: the images are crops of photographs.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for images.csv and report.html.")
@json_option
def aflw2000(
    data: Path,
    bundle: str,
    fitter: str | None,
    tracking: bool,
    flip: bool,
    field_of_view: float,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Photographs of AFLW2000-3D: landmarks by yaw, head pose, expression."""
    from face_expr_ros.evaluation.aflw2000_data import open_dataset
    from face_expr_ros.evaluation.aflw2000_fits import evaluate as evaluate_aflw2000
    from face_expr_ros.evaluation.report import open_report_folder, result_lines, write_report

    chosen = {"fitting.backend": fitter} if fitter else {}
    config = perception_config(bundle, chosen | {"fitting.field_of_view": field_of_view})
    if out:
        open_report_folder(out)
    dataset = open_dataset(data)
    evaluation = evaluate_aflw2000(dataset, config, tracking=tracking, flip=flip)
    click.echo("\n".join(result_lines(evaluation.result)))
    if out:
        write_report(out, dataset, evaluation)
    write_json(json_file, evaluation.result)
    return 0
