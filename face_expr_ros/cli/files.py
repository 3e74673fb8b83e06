"""Verbs for image and video files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.avatar import calibration_option
from face_expr_ros.cli.common import (
    OutputFile,
    bundle_option,
    camera_info_option,
    json_option,
    perception_config,
    print_result,
    write_json,
)
from face_expr_ros.cli.outputs import check_outputs
from face_expr_ros.core.config import DRAW_MODES, PerceptionConfig

Verb = Callable[..., Any]
MAX_FACES = 20  # of one image, which has no frame rate to keep up with
BATCH_OPTIONS = "--jsonl, --csv, --parquet or --out"

sources_argument = click.argument(
    "sources", metavar="IN...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)


def file_options(verb: Verb) -> Verb:
    """Options for the outputs, the drawing, the smoothing and the camera."""
    for option in (
        bundle_option,
        camera_info_option,
        calibration_option,
        click.option(
            "--field-of-view", type=click.FloatRange(5, 170), metavar="DEGREES",
            help="Vertical field of view of a camera without --camera-info.  [default: 63]",
        ),
        click.option("--max-faces", type=click.IntRange(1, 100), help="Maximum number of faces."),
        click.option(
            "--smooth", type=click.Choice(("none", "one_euro", "window")), default="one_euro", show_default=True,
            help="Temporal filter.",
        ),
        click.option("--export", type=click.Choice(("obj", "ply")), help="Write the mesh of each face beside --out."),
        click.option(
            "--side-by-side", type=click.Choice(("mesh", "avatar")),
            help="Draw beside the original: the fitted mesh, or a rendered person with the same expression.",
        ),
        click.option(
            "--draw", type=click.Choice(DRAW_MODES), default="annotated", show_default=True, help="Overlay of --out."
        ),
        click.option("--parquet", type=OutputFile(), help="The rows of --csv as a Parquet file; requires pyarrow."),
        click.option("--csv", "table", type=OutputFile(), help="Write a CSV table, one row per face and image."),
        click.option("--jsonl", type=OutputFile(), help="Write one JSON line per image."),
        click.option(
            "--jobs", type=click.IntRange(min=1), default=1, show_default=True,
            help="Number of worker processes for several files.",
        ),
        click.option(
            "--out", type=click.Path(path_type=Path),
            help="Write the drawn file; for several inputs, a folder of drawn files.",
        ),
    ):  # fmt: skip
        verb = option(verb)
    return verb


@click.command()
@sources_argument
@file_options
@json_option
def image(sources: tuple[Path, ...], json_file: Path | None, **options: Any) -> int:
    """Detect faces in image files.

    IN are images or folders of images. An interrupted run over several images continues when it is started again.
    """
    from face_expr_ros.cli.file_inputs import still_files
    from face_expr_ros.cli.file_run import FileRun
    from face_expr_ros.cli.parallel_files import Settings, analyze_stills_in_processes
    from face_expr_ros.cli.process_stills import analyze_image, analyze_stills, check_image_name

    config = _config(options, {"landmarks.max_faces": options["max_faces"] or MAX_FACES})
    run = FileRun("image", still_files(sources), _is_batch(sources, options), options, _tell)
    check_outputs(run.inputs, {**run.outputs, "--json": json_file}, options["export"])
    for out in filter(None, run.drawn):
        check_image_name(out)
    if run.targets.is_empty:
        result = analyze_image(run.files[0], run.products, config, options["camera_info"])
        click.echo(f"faces: {len(result['faces'])}")
        for file in result.get("exported", ()):
            click.echo(f"written: {file}")
        write_json(json_file, result)
        return 0
    if json_file:
        raise click.UsageError("--json takes one image without --jsonl, --csv, --parquet and a folder")
    with run.results(config) as results:
        if options["jobs"] > 1:
            settings = Settings(run.products, config, options["camera_info"])
            counts = analyze_stills_in_processes(run.files, run.drawn, results, settings, options["jobs"])
        else:
            counts = analyze_stills(run.files, run.drawn, results, run.products, config, options["camera_info"])
    click.echo(f"images: {counts.images}, with a face: {counts.with_face}, unreadable: {counts.unreadable}")
    return 1 if counts.unreadable else 0


@click.command()
@sources_argument
@file_options
@click.option(
    "--neutral-at",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Use the expression of each face in the second before this time as its neutral from then on.",
)
@json_option
def video(sources: tuple[Path, ...], json_file: Path | None, neutral_at: float | None, **options: Any) -> int:
    """Detect faces in every frame of video files.

    IN are videos or folders of videos. An interrupted run continues after the last complete video when it is started
    again.
    """
    from face_expr_ros.cli.file_inputs import video_files
    from face_expr_ros.cli.file_run import FileRun
    from face_expr_ros.cli.parallel_files import Settings, analyze_videos_in_processes
    from face_expr_ros.cli.process_videos import analyze_video, analyze_videos
    from face_expr_ros.drawing.video_writer import check_video

    config = _config(options, {"landmarks.max_faces": options["max_faces"]} if options["max_faces"] else {})
    run = FileRun("video", video_files(sources), _is_batch(sources, options), options, _tell)
    check_outputs(run.inputs, {**run.outputs, "--json": json_file}, options["export"])
    for out in filter(None, run.drawn):
        check_video(out)
    settings = (config, _tell, neutral_at, options["camera_info"])
    with run.results(config, neutral_at=neutral_at) as results:
        if run.is_folder and options["jobs"] > 1:
            common = Settings(run.products, config, options["camera_info"], neutral_at)
            result = analyze_videos_in_processes(run.files, run.drawn, results, common, options["jobs"], _tell)
        elif run.is_folder:
            result = analyze_videos(run.files, run.drawn, results, run.products, *settings)
        else:
            (file,) = run.files
            result = analyze_video(
                file, run.products, lambda record: results.add({"file": file.name} | record), *settings
            )
            results.complete(file)
    print_result(result)
    write_json(json_file, result)
    return 1 if result.get("unreadable") else 0


def _config(options: dict[str, Any], changes: dict[str, Any]) -> PerceptionConfig:
    if options["field_of_view"] is not None:
        if options["camera_info"] is not None:
            raise click.UsageError("expected at most one of --field-of-view and --camera-info, got both")
        changes["fitting.field_of_view"] = options["field_of_view"]
    if options["calibration"] is not None:
        changes["expression.calibration"] = str(options["calibration"])
    return perception_config(options["bundle"], {"smoothing.method": options["smooth"], **changes})


def _is_batch(sources: Sequence[Path], options: dict[str, Any]) -> bool:
    """Whether several files are processed, which need an output."""
    batch = len(sources) > 1 or sources[0].is_dir()
    if batch and not any(options[name] for name in ("jsonl", "table", "parquet", "out")):
        what = f"{str(sources[0])!r} is a folder, which needs" if len(sources) == 1 else "several files need"
        raise click.UsageError(f"{what} an output: {BATCH_OPTIONS}")
    return batch


def _tell(text: str) -> None:
    click.echo(text, err=True)
