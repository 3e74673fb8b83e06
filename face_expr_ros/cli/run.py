"""Verbs that run or examine the system: demo, doctor, bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import bundle_option, json_option, source_option, task_option, write_json
from face_expr_ros.cli.outputs import check_outputs

_CHECKOUT = click.Path(exists=True, file_okay=False, path_type=Path)


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
    help="Number of frames of the memory measurement, or of --peers.  [default: 10000, 300 with --quick; 600, 150]",
)
@click.option("--peers", is_flag=True, help="Measure other face trackers on the same frames instead: see below.")
@source_option
@task_option
@click.option(
    "--max-faces",
    type=click.IntRange(1, 20),
    help="Number of faces that each tracker of --peers searches for.  [default: 1]",
)
@click.option("--openseeface", type=_CHECKOUT, help="Checkout of OpenSeeFace.")
@click.option("--3ddfa-v2", "tddfa", type=_CHECKOUT, help="Checkout of 3DDFA_V2 with its weights.")
@json_option
def bench(peers: bool, quick: bool, frames: int | None, json_file: Path | None, **compared: Any) -> int:
    """Measure run time, latency and memory.

    Covers the stages, the pipeline relative to its networks, publishing, the node between processes, the number of
    faces and the image size. Close other programs first.

    With --peers: the pipeline against MediaPipe's FaceLandmarker (--task), OpenSeeFace and 3DDFA_V2, those that are
    given, on the images of --source, alternating frame by frame; ratios first.
    """
    from face_expr_ros.benchmarks.table import table

    _check_peer_options(peers, **compared)
    check_outputs([compared["task"], Path(compared["source"]).expanduser()], {"--json": json_file})
    result = _measure_peers(quick, frames, **compared) if peers else _measure_all(quick, frames)
    click.echo(table(result))
    write_json(json_file, result)
    return 0


def _check_peer_options(peers: bool, source: str, max_faces: int | None, **paths: Path | None) -> None:
    given = any(paths.values())
    if peers and not given:
        raise click.UsageError("--peers: expected at least one of --task, --openseeface and --3ddfa-v2, got none")
    if not peers and (given or max_faces or source != "synthetic"):
        raise click.UsageError("--source, --task, --max-faces, --openseeface and --3ddfa-v2 need --peers: add it")


def _measure_peers(
    quick: bool, frames: int | None, source: str, max_faces: int | None, **paths: Path | None
) -> dict[str, Any]:
    from face_expr_ros.benchmarks.peers import FRAMES, QUICK_FRAMES, measure_peers, openers

    return measure_peers(source, openers(max_faces or 1, **paths), frames or (QUICK_FRAMES if quick else FRAMES))


def _measure_all(quick: bool, frames: int | None) -> dict[str, Any]:
    from dataclasses import replace

    from face_expr_ros.benchmarks.suite import FULL, QUICK, measure

    extent = QUICK if quick else FULL
    return measure(extent if frames is None else replace(extent, memory_frames=frames))
