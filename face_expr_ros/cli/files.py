"""Verbs for image and video files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import (
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


def product_options(verb: Verb) -> Verb:
    """Options for the drawing, the export and the smoothing."""
    for option in (
        click.option(
            "--smooth", type=click.Choice(("none", "one_euro", "window")), default="one_euro", show_default=True,
            help="Temporal filter.",
        ),
        click.option("--export", type=click.Choice(("obj", "ply")), help="Write the mesh of each face beside --out."),
        click.option(
            "--draw", type=click.Choice(DRAW_MODES), default="annotated", show_default=True, help="Overlay of --out."
        ),
    ):  # fmt: skip
        verb = option(verb)
    return verb


@click.command()
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the annotated image.")
@click.option(
    "--jsonl",
    type=click.Path(dir_okay=False, path_type=Path),
    help="For several images, or folders of images: write one JSON line per image.",
)
@product_options
@camera_info_option
@bundle_option
@json_option
def image(
    sources: tuple[Path, ...], out: Path | None, jsonl: Path | None, draw: str, export: str | None, smooth: str,
    camera_info: Path | None, bundle: str, json_file: Path | None,
) -> int:  # fmt: skip
    """Detect faces in an image file; with --jsonl, in several files or folders."""
    config = perception_config(bundle, {"smoothing.method": smooth, "landmarks.max_faces": MAX_FACES})
    if jsonl is not None:
        if out or export or json_file:
            raise click.UsageError("--jsonl cannot be combined with --out, --export and --json, which take one image")
        return _many_images(sources, jsonl, config, camera_info)
    return _one_image(_only(sources), out, draw, export, json_file, config, camera_info)


def _only(sources: tuple[Path, ...]) -> Path:
    if len(sources) > 1:
        raise click.UsageError("several images need --jsonl, the file with one line per image")
    if sources[0].is_dir():
        raise click.UsageError(f"File {str(sources[0])!r} is a directory; a folder of images needs --jsonl")
    return sources[0]


def _one_image(
    source: Path, out: Path | None, draw: str, export: str | None, json_file: Path | None, config: PerceptionConfig,
    camera_info: Path | None,
) -> int:  # fmt: skip
    from face_expr_ros.cli.process_files import Products, analyze_image

    check_outputs([source, *filter(None, [camera_info])], {"--out": out, "--json": json_file}, export)
    result = analyze_image(source, Products(out, draw, export), config, camera_info)
    click.echo(f"faces: {len(result['faces'])}")
    for file in result.get("exported", ()):
        click.echo(f"written: {file}")
    write_json(json_file, result)
    return 0


def _many_images(sources: tuple[Path, ...], jsonl: Path, config: PerceptionConfig, camera_info: Path | None) -> int:
    from face_expr_ros.cli.process_stills import analyze_stills

    check_outputs([*sources, *filter(None, [camera_info])], {"--jsonl": jsonl})
    counts = analyze_stills(sources, jsonl, config, camera_info)
    click.echo(f"images: {counts.images}, with a face: {counts.with_face}, unreadable: {counts.unreadable}")
    return 1 if counts.unreadable else 0


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the annotated video (.mp4).")
@product_options
@click.option("--jsonl", type=click.Path(dir_okay=False, path_type=Path), help="Write one JSON line per frame.")
@click.option(
    "--neutral-at",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Use the expression of each face in the second before this time as its neutral from then on.",
)
@camera_info_option
@bundle_option
def video(
    source: Path, out: Path | None, draw: str, export: str | None, smooth: str, jsonl: Path | None,
    neutral_at: float | None, camera_info: Path | None, bundle: str,
) -> int:  # fmt: skip
    """Detect faces in every frame of a video file."""
    from face_expr_ros.cli.process_files import Products, analyze_video

    check_outputs([source, *filter(None, [camera_info])], {"--out": out, "--jsonl": jsonl}, export)
    config = perception_config(bundle, {"smoothing.method": smooth})
    products = Products(out, draw, export)
    result = analyze_video(
        source, products, jsonl, config, lambda text: click.echo(text, err=True), neutral_at, camera_info
    )
    print_result(result)
    return 0
