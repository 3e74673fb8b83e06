"""Verbs that run or examine the system: demo, doctor, bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import bundle_option, json_option, source_option, write_json
from face_expr_ros.cli.outputs import check_outputs


@click.command()
@source_option
@bundle_option
@click.option("--headless", is_flag=True, help="Write an annotated video instead of opening the web page.")
@click.option("--window", is_flag=True, help="Show the annotated image in a window instead of the web page.")
@click.option("--web", is_flag=True, help="Serve the web page in addition to --headless or --window.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Annotated video of --headless.  [default: out/demo.mp4]",
)
@json_option
def demo(json_file: Path | None, **options: Any) -> int:
    """Run the camera and perception nodes and show the result."""
    from face_expr_ros.nodes.demo import run_demo

    if options["headless"] and options["window"]:
        raise click.UsageError("expected at most one of --headless and --window, got both")
    check_outputs([Path(options["source"]).expanduser()], {"--out": options["out"], "--json": json_file})
    result = run_demo(**options)
    write_json(json_file, result)
    return 0 if result["frames_with_face"] else 1


@click.command()
@click.option("--probe/--no-probe", default=True, show_default=True, help="Test image transport between two processes.")
@json_option
def doctor(probe: bool, json_file: Path | None) -> int:
    """Check the installation and suggest fixes."""
    from face_expr_ros.cli.doctor_checks import examine

    report = examine(probe=probe)
    for finding in report.findings:
        click.echo(finding.line())
    write_json(json_file, report.as_json())
    return 0 if report.ok else 1


@click.command()
@click.option("--quick", is_flag=True, help="Shorter measurement: about 1.5 minutes instead of 10.")
@click.option(
    "--frames",
    type=click.IntRange(min=2),
    help="Number of frames of the memory measurement.  [default: 10000, 300 with --quick]",
)
@json_option
def bench(quick: bool, frames: int | None, json_file: Path | None) -> int:
    """Measure run time, latency and memory.

    Covers the stages, the pipeline relative to its networks, publishing, the node between processes, the number of
    faces and the image size. Close other programs first.
    """
    from dataclasses import replace

    from face_expr_ros.benchmarks.suite import FULL, QUICK, measure
    from face_expr_ros.benchmarks.table import table

    extent = QUICK if quick else FULL
    result = measure(extent if frames is None else replace(extent, memory_frames=frames))
    click.echo(table(result))
    write_json(json_file, result)
    return 0
