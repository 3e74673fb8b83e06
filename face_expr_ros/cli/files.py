"""Verbs over files: image, video."""

from __future__ import annotations

from pathlib import Path

import click

from face_expr_ros.cli.common import bundle_option, json_option, perception_config, print_result, write_json


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The annotated image.")
@bundle_option
@json_option
def image(source: Path, out: Path | None, bundle: str, json_file: Path | None) -> int:
    """Find the faces of an image file."""
    from face_expr_ros.offline import analyze_image

    result = analyze_image(source, out, perception_config(bundle))
    click.echo(f"faces: {len(result['faces'])}")
    write_json(json_file, result)
    return 0


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The annotated video.")
@click.option("--jsonl", type=click.Path(dir_okay=False, path_type=Path), help="One JSON line for every frame.")
@bundle_option
def video(source: Path, out: Path | None, jsonl: Path | None, bundle: str) -> int:
    """Find the faces of every frame of a video file."""
    from face_expr_ros.offline import analyze_video

    print_result(analyze_video(source, out, jsonl, perception_config(bundle), lambda text: click.echo(text, err=True)))
    return 0
