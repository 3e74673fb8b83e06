"""Verbs that start something: demo, doctor, bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import bundle_option, json_option, write_json
from face_expr_ros.cli.outputs import check_outputs


@click.command()
@click.option("--source", default="synthetic", show_default=True, help="synthetic, device:N, a video, or a folder.")
@bundle_option
@click.option("--headless", is_flag=True, help="No page: an annotated video is written instead.")
@click.option("--window", is_flag=True, help="No page: a window with the annotated image instead.")
@click.option("--web", is_flag=True, help="The page, too, with --headless or --window.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the annotated video goes when headless."
)
@json_option
def demo(json_file: Path | None, **options: Any) -> int:
    """Start camera and perception and show the faces on a page in the browser."""
    from face_expr_ros.nodes.demo import run_demo

    if options["headless"] and options["window"]:
        raise click.UsageError("--headless and --window exclude each other")
    check_outputs([Path(options["source"]).expanduser()], {"--out": options["out"], "--json": json_file})
    result = run_demo(**options)
    write_json(json_file, result)
    return 0 if result["frames_with_face"] else 1


@click.command()
@click.option("--probe/--no-probe", default=True, show_default=True, help="Send images between two processes.")
@json_option
def doctor(probe: bool, json_file: Path | None) -> int:
    """Say what works here, what does not, and what to do about it."""
    from face_expr_ros.cli.doctor_checks import examine

    report = examine(probe=probe)
    for finding in report.findings:
        click.echo(finding.line())
    write_json(json_file, report.as_json())
    return 0 if report.ok else 1


@click.command()
@click.option("--node", default="/perception", show_default=True, help="The perception node, with its namespace.")
@click.option(
    "--timeout", default=5.0, show_default=True, type=click.FloatRange(min=0), help="Seconds to wait for the node."
)
def calibrate(node: str, timeout: float) -> int:
    """Take what each face in view of a running node showed for the last second as its neutral expression."""
    from face_expr_ros.ros.calibrate import calibrate_neutral

    done, message = calibrate_neutral(node, timeout)
    click.echo(message)
    return 0 if done else 1


@click.command()
@click.option("--quick", is_flag=True, help="About a minute and a half instead of ten.")
@click.option(
    "--frames", type=click.IntRange(min=2), help="Frames over which memory is watched, instead of 300 or 10,000."
)
@json_option
def bench(quick: bool, frames: int | None, json_file: Path | None) -> int:
    """Measure what everything costs: stages, the pipeline beside its floor, publishing, the node from process to
    process, numbers of faces, sizes of images, memory. Close everything else before."""
    from dataclasses import replace

    from face_expr_ros.benchmarks.suite import FULL, QUICK, measure
    from face_expr_ros.benchmarks.table import table

    extent = QUICK if quick else FULL
    result = measure(extent if frames is None else replace(extent, memory_frames=frames))
    click.echo(table(result))
    write_json(json_file, result)
    return 0
