"""The verb soak: the nodes under continuous faults."""

from __future__ import annotations

from pathlib import Path

import click

from face_expr_ros.cli.common import json_option, write_json


@click.command()
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Duration in hours.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Duration in minutes.  [default: 10]")
@click.option("--rate", default=8.0, show_default=True, type=click.FloatRange(0.5, 60.0), help="Images per second.")
@click.option("--pause", default=2.0, show_default=True, type=click.FloatRange(0.01, 600.0),
              help="Mean number of seconds between two faults.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Random seed of the faults.")
@click.option("--fault", "faults", multiple=True, help="Cause only this fault; may be repeated.")
@click.option("--network/--no-network", default=True, show_default=True,
              help="Put two nodes behind a network with loss and delay; needs root.")  # fmt: skip
@click.option("--jsonl", type=click.Path(dir_okay=False, path_type=Path),
              help="Write faults, recoveries and measurements, one JSON object a line.")  # fmt: skip
@click.option(
    "--logs", type=click.Path(file_okay=False, path_type=Path), help="Keep the logs of all nodes in a folder."
)
@json_option
def soak(
    hours: float | None,
    minutes: float | None,
    rate: float,
    pause: float,
    seed: int,
    faults: tuple[str, ...],
    network: bool,
    jsonl: Path | None,
    logs: Path | None,
    json_file: Path | None,
) -> int:
    """Run all nodes under continuous faults and check every message.

    Cameras, perception, head_control, the web, avatar and ROS4HRI bridges run as processes. People come and go; stamps,
    encodings, rates and parameters change; nodes are deactivated, killed and restarted; disk, network and clock fail.
    The exit status is 1 if a node exits or does not recover, memory grows, an id is wrong or a message is invalid.
    """
    from face_expr_ros.benchmarks.soak.faults import FAULTS
    from face_expr_ros.benchmarks.soak.run import run_soak
    from face_expr_ros.benchmarks.soak.summary import summary
    from face_expr_ros.benchmarks.soak.world import SoakSettings

    if hours is not None and minutes is not None:
        raise click.UsageError("expected at most one of --hours and --minutes, got both")
    for fault in faults:
        if fault not in FAULTS:
            raise click.UsageError(f"--fault: expected one of {', '.join(FAULTS)}, got {fault!r}")
    seconds = 3600 * hours if hours is not None else 60 * (10.0 if minutes is None else minutes)
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
        if any(logs.iterdir()):
            raise click.UsageError(f"--logs: expected an empty folder, got {logs}")
    result = run_soak(SoakSettings(seconds, seed, rate, pause, faults, network), jsonl, logs)
    click.echo(summary(result))
    write_json(json_file, result)
    return 0 if result["ok"] else 1
