"""Verbs for rosbag2 recordings: annotate, export, replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.common import OutputFile, json_option, print_result, write_json
from face_expr_ros.cli.outputs import check_outputs

Folder = click.Path(path_type=Path)
PRINTED = (
    "messages_in", "frames", "frames_with_face", "faces", "images_left_out", "recorded_seconds", "seconds",
    "realtime_factor",
)  # fmt: skip
TIMES = ("cpu_ms", "thread_ms")  # per image; absent when nothing was annotated


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.argument("out", metavar="OUT", type=Folder)
@click.option("--topic", help="Image topic; required if the bag has several.")
@click.option("--depth", help="Topic of depth images aligned with the images.  [default: depth/image beside them]")
@click.option("--bundle", help="Face model and weights; overrides --params.")
@click.option(
    "--params",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="ROS parameter file of the perception node.",
)
@click.option("--namespace", default="", help="Namespace of the added topics, such as /robot.")
@click.option(
    "--from", "start", type=click.FloatRange(min=0), default=0.0, help="Start, in seconds from the start of the bag."
)
@click.option(
    "--to", "stop", type=click.FloatRange(min=0, min_open=True), help="End, in seconds from the start of the bag."
)
@click.option(
    "--storage",
    type=click.Choice(("mcap", "sqlite3")),
    default="mcap",
    show_default=True,
    help="Storage format of OUT.",
)
@click.option(
    "--split",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Duration of each file of OUT, in seconds; an interrupted run resumes after the last complete file.",
)
@click.option(
    "--markers/--no-markers",
    default=True,
    show_default=True,
    help="Add mesh_markers, which RViz and Foxglove display without a node.",
)
@click.option(
    "--annotated/--no-annotated",
    default=False,
    show_default=True,
    help="Add the annotated image as JPEG, annotated/compressed.",
)
@click.option(
    "--drawing-rate",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Maximum rate of mesh_markers and of the annotated image, Hz; 0 draws every image.",
)
@click.option(
    "--marker-detail",
    type=click.Choice(("full", "decimated", "facemesh")),
    help="Resolution of mesh_markers, instead of the coarsest one that the face model has.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of worker processes for a folder of bags.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Dask scheduler that distributes the bags, such as tcp://head:8786."
)
@json_option
def annotate(
    source: Path, out: Path, topic: str | None, depth: str | None, bundle: str | None, params: Path | None,
    namespace: str, start: float, stop: float | None, storage: str, split: float, markers: bool, annotated: bool,
    drawing_rate: float, marker_detail: str | None, jobs: int, scheduler: str | None, json_file: Path | None,
) -> int:  # fmt: skip
    """Add face topics to a rosbag2 recording.

    IN is a bag, or a folder of bags. OUT is a new bag, or a folder of new bags, with all messages of IN and the topics
    that the perception node would have published.
    """
    from face_expr_ros.bags.drawings import DrawingOptions
    from face_expr_ros.bags.job import Job
    from face_expr_ros.bags.many import annotate_many, jobs_of
    from face_expr_ros.bags.parameters import perception_config_of
    from face_expr_ros.bags.topics import checked_namespace

    check_outputs([source, params], {"OUT": out, "--json": json_file})
    if stop is not None and stop <= start:
        raise click.UsageError(f"expected --to after --from ({start:g} s), got {stop:g} s")
    config = perception_config_of(params, {} if bundle is None else {"bundle": bundle})
    drawings = DrawingOptions(markers, annotated, drawing_rate, marker_detail)
    job = Job(source, out, config, topic, checked_namespace(namespace), start, stop, storage, split, drawings, depth)
    tasks = jobs_of(job)
    if len(tasks) == 1 and tasks[0] == job and scheduler is None:
        return _annotate_one(job, json_file)
    tasks = [replace(task, source=task.source.resolve(), out=task.out.resolve()) for task in tasks]
    result = annotate_many(tasks, jobs, scheduler, lambda text: click.echo(text, err=True))
    for outcome in result["bags"]:
        _warn(outcome)
    failed = len(result["failed"])
    damaged = sum(bool(outcome.get("damage")) for outcome in result["bags"])
    print_result({name: result[name] for name in (*PRINTED, *TIMES) if name in result})
    print_result({"bags annotated": len(result["bags"]) - failed, "bags failed": failed, "bags damaged": damaged})
    for failure in result["failed"]:
        click.echo(f"not annotated: {failure['source']}: {failure['error']}", err=True)
    write_json(json_file, result)
    return 1 if result["failed"] else 0


def _annotate_one(job: Any, json_file: Path | None) -> int:
    from face_expr_ros.bags.annotate import annotate as annotate_bag

    result = annotate_bag(job)
    _warn(result)
    if "done_before" in result:
        click.echo(f"{result['out']} is already complete", err=True)
    elif result["resumed_at"]:
        click.echo(f"resumed an interrupted run after {result['resumed_at']} messages", err=True)
    print_result({name: result[name] for name in (*PRINTED, *TIMES) if name in result})
    write_json(json_file, result)
    return 0


def _warn(outcome: dict[str, Any]) -> None:
    """Print the parts of a bag that are not read."""
    for topic, reason in outcome.get("left_out", {}).items():
        click.echo(f"{outcome['source']}: left out: {topic}: {reason}", err=True)
    if outcome.get("damage"):
        click.echo(outcome["damage"], err=True)
    if outcome.get("problem"):
        click.echo(f"{outcome['source']}: {outcome['problem']}", err=True)


@click.command()
@click.argument("bag", metavar="BAG", type=click.Path(exists=True, path_type=Path))
@click.option("--topic", help="FaceArray topic; required if the bag has several.")
@click.option(
    "--csv",
    "table",
    type=OutputFile(),
    help="Write a CSV table, one row per face and frame.",
)
@click.option("--parquet", type=OutputFile(), help="Write the table as Parquet; requires pyarrow.")
@click.option(
    "--vmd-like", "--keyframes", "keys", type=OutputFile(),
    help="Write JSON keyframes of the head bone and of one morph per blendshape.",
)  # fmt: skip
@click.option(
    "--live-link",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one face as a CSV file of the app Live Link Face: Timecode, BlendShapeCount and 61 values.",
)
@click.option(
    "--foxglove",
    "layout",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a layout for Foxglove that shows this bag.",
)
@click.option("--face", help="Face of --live-link; required if the bag has several.")
@click.option(
    "--timecode-rate", type=click.IntRange(1, 240), default=60, show_default=True,
    help="Frames per second of the timecodes of --live-link; the app's importers expect 60.",
)  # fmt: skip
@json_option
def export(
    bag: Path, topic: str | None, table: Path | None, parquet: Path | None, keys: Path | None, live_link: Path | None,
    layout: Path | None, face: str | None, timecode_rate: int, json_file: Path | None,
) -> int:  # fmt: skip
    """Export the faces of an annotated bag: tables, keyframes, a take of Live Link Face, a layout for Foxglove."""
    from face_expr_ros.bags.export import export as export_bag
    from face_expr_ros.bags.live_link_take import live_link_take

    outputs = {"--csv": table, "--parquet": parquet, "--vmd-like": keys, "--live-link": live_link, "--foxglove": layout}
    if not any(outputs.values()):
        raise click.UsageError(f"expected an output: give {', '.join(outputs)} with a file")
    check_outputs([bag], {**outputs, "--json": json_file})
    others = [] if live_link is None else [live_link_take(live_link, face, timecode_rate)]
    result = export_bag(bag, topic, table, parquet, keys, layout, others)
    _warn(result)
    print_result({name: result[name] for name in ("messages_in", "frames", "faces", "seconds", "realtime_factor")})
    write_json(json_file, result)
    return 0


@click.command()
@click.argument("bag", metavar="BAG", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Playback speed relative to real time; 0 publishes without delay.",
)
@click.option("--loop", is_flag=True, help="Repeat until Ctrl-C.")
@click.option("--clock", is_flag=True, help="Publish /clock, for nodes with use_sim_time.")
@click.option("--topics", help="Publish only these topics, separated by commas.")
@click.option(
    "--wait-for", multiple=True, metavar="TOPIC", help="Start when this topic has a subscriber; may be repeated."
)
@json_option
def replay(
    bag: Path, rate: float, loop: bool, clock: bool, topics: str | None, wait_for: tuple[str, ...],
    json_file: Path | None,
) -> int:  # fmt: skip
    """Publish the messages of a bag, as ros2 bag play does."""
    from face_expr_ros.nodes.replay import ReplayOptions
    from face_expr_ros.nodes.replay import replay as replay_bag

    check_outputs([bag], {"--json": json_file})
    only = tuple(filter(None, (topics or "").split(",")))
    result = replay_bag(bag, ReplayOptions(rate, loop, clock, only, wait_for))
    _warn(result)
    print_result({name: result[name] for name in ("messages_in", "frames", "faces", "seconds", "realtime_factor")})
    write_json(json_file, result)
    return 0
