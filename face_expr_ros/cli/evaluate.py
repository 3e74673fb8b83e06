"""`face_expr evaluate PROTOCOL`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from face_expr_ros.cli.common import (
    OutputFile,
    bundle_option,
    json_option,
    landmark_settings,
    landmarks_option,
    perception_config,
    print_result,
    task_option,
    write_json,
)
from face_expr_ros.cli.outputs import check_outputs
from face_expr_ros.core.atomic_files import write_text

_file = OutputFile()
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def evaluate() -> None:
    """Measure accuracy against ground truth."""


@evaluate.command()
@click.option("--frames", default=400, show_default=True, type=click.IntRange(min=1), help="Number of rendered images.")
@bundle_option
@landmarks_option
@task_option
@json_option
def synthetic(frames: int, bundle: str, landmarks: str | None, task: Path | None, json_file: Path | None) -> int:
    """Evaluate on rendered faces: pose, shape, expression."""
    from face_expr_ros.evaluation.synthetic import evaluate as evaluate_synthetic

    check_outputs([*filter(None, [task])], {"--json": json_file})
    result = asdict(evaluate_synthetic(perception_config(bundle, landmark_settings(landmarks, task)), frames))
    print_result(result)
    write_json(json_file, result)
    return 0


@evaluate.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the data set: jpg and mat files, or images/ and ground_truth.npz.",
)
@bundle_option
@click.option("--fitter", help="Fitting backend: a value of fitting.backend.")
@landmarks_option
@task_option
@click.option("--tracking", is_flag=True, help="Run the pipeline on whole images instead of ground-truth crops.")
@click.option("--flip", is_flag=True, help="Average the landmarks with those of the mirrored image.")
@click.option(
    "--field-of-view",
    default=25.0,
    show_default=True,
    help="Assumed vertical field of view, in degrees.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write images.csv and report.html to this folder."
)
@json_option
def aflw2000(
    data: Path,
    bundle: str,
    fitter: str | None,
    landmarks: str | None,
    task: Path | None,
    tracking: bool,
    flip: bool,
    field_of_view: float,
    out: Path | None,
    json_file: Path | None,
) -> int:
    """Evaluate on AFLW2000-3D: landmarks, pose, expression."""
    from face_expr_ros.evaluation.aflw2000_data import open_dataset
    from face_expr_ros.evaluation.aflw2000_fits import evaluate as evaluate_aflw2000
    from face_expr_ros.evaluation.report import open_report_folder, result_lines, write_report

    check_outputs([data], {"--json": json_file})
    chosen = landmark_settings(landmarks, task) | ({"fitting.backend": fitter} if fitter else {})
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


@evaluate.command()
@click.option(
    "--frames",
    default=1440,
    show_default=True,
    type=click.IntRange(min=24),
    help="Number of rendered images, 24 per person.",
)
@bundle_option
@click.option("--reader", help="Expression backend: a value of expression.backend.")
@click.option(
    "--task",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MediaPipe's face_landmarker.task, for comparison.",
)
@click.option("--videos", type=_folder, help="Folder of the videos with labeled blinks.")
@click.option("--data", type=_folder, help="Folder of AFLW2000-3D.")
@click.option("--report", type=_file, help="Write an HTML report; requires matplotlib.")
@click.option("--table", "table_file", type=_file, help="Write the table of all blendshapes as Markdown.")
@json_option
def expression(
    frames: int,
    bundle: str,
    reader: str | None,
    task: Path | None,
    videos: Path | None,
    data: Path | None,
    report: Path | None,
    table_file: Path | None,
    json_file: Path | None,
) -> int:
    """Evaluate blendshapes: accuracy, invariance, stability, blinks.

    Measures the correlation with ground truth on rendered faces, the invariance to image position, size and head pose,
    the noise on still images, and optionally blinks in labeled videos.
    """
    from face_expr_ros.evaluation.curves import require_matplotlib
    from face_expr_ros.evaluation.expression.measure import evaluate_expression
    from face_expr_ros.evaluation.expression.report import result_lines, table, write_page

    check_outputs([task, videos, data], {"--report": report, "--table": table_file, "--json": json_file})
    config = perception_config(bundle, {"expression.backend": reader} if reader else {})
    if report:
        require_matplotlib()
    result = evaluate_expression(config, frames=frames, task=task, videos=videos, data=data)
    click.echo("\n".join(result_lines(result)))
    write_json(json_file, result)
    if table_file:
        write_text(table_file, table(result))
    if report:
        write_page(report, result)
    return 0


@evaluate.command()
@click.argument("portraits", type=_folder)
@click.argument("out", type=_file)
def fit_ridge(portraits: Path, out: Path) -> int:
    """Fit the ridge-regression baseline of evaluate expression.

    PORTRAITS is a folder of rendered portraits made by face_expr synthesize; OUT is the .npz file to write.
    """
    from face_expr_ros.evaluation.expression.baselines import fit_ridge as fit
    from face_expr_ros.evaluation.expression.baselines import write_ridge

    check_outputs([portraits], {"OUT": out})
    write_ridge(out, fit(portraits))
    return 0


@evaluate.command()
@click.option("--images", required=True, type=_folder, help="Folder of the images.")
@click.option(
    "--labels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table of grades (CSV).",
)
@bundle_option
@landmarks_option
@click.option("--reader", help="Expression backend: a value of expression.backend.")
@click.option(
    "--task",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MediaPipe's face_landmarker.task, for comparison and for --landmarks.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write portraits.html with the worst faces to this folder.",
)
@click.option("--table", "table_file", type=_file, help="Write the table of all columns as Markdown.")
@json_option
def portraits(
    images: Path,
    labels: Path,
    bundle: str,
    landmarks: str | None,
    reader: str | None,
    task: Path | None,
    out: Path | None,
    table_file: Path | None,
    json_file: Path | None,
) -> int:
    """Evaluate blendshapes on images with manually assigned grades."""
    from face_expr_ros.core.portrait_grades import read_grades
    from face_expr_ros.evaluation.portraits.measure import evaluate_portraits
    from face_expr_ros.evaluation.portraits.report import result_lines, table, write_page

    check_outputs([labels, images, task], {"--json": json_file, "--table": table_file})
    chosen = landmark_settings(landmarks, task) | ({"expression.backend": reader} if reader else {})
    config = perception_config(bundle, chosen)
    grades = read_grades(labels)
    if out:
        out.mkdir(parents=True, exist_ok=True)
    result, readings = evaluate_portraits(grades, images, config, task)
    click.echo("\n".join(result_lines(result)))
    write_json(json_file, result)
    if table_file:
        write_text(table_file, table(result))
    if out:
        write_page(out / "portraits.html", images, grades, result, readings["pipeline"])
    return 0
