"""The verb take: a video or a recorded take as a file for animation software."""

from __future__ import annotations

from pathlib import Path

import click

from face_expr_ros.cli.avatar import calibration_option
from face_expr_ros.cli.common import bundle_option, perception_config
from face_expr_ros.cli.outputs import check_outputs

SUFFIXES = (".glb", ".bvh", ".csv")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("source", metavar="IN", type=_FILE)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    multiple=True,
    help="File to write, may be repeated: .glb (mesh, texture, animation), .bvh (head motion), .csv (Live Link Face).",
)
@click.option("--face", default="", help="Id of the face, such as f2.  [default: the one with the most frames]")
@click.option("--portrait", type=_FILE, help="Image of the person, for the texture of .glb.  [default: from the video]")
@calibration_option
@bundle_option
def take(
    source: Path, out: tuple[Path, ...], face: str, portrait: Path | None, calibration: Path | None, bundle: str
) -> int:
    """Write a face as an animation for Blender, Unity, Unreal or Maya.

    IN is a video file, a take that the page has recorded (.json), or JSON Lines of face_expr video (.jsonl).
    """
    from face_expr_ros.cli.process_take import Recorded, record_video, write_take
    from face_expr_ros.serialization.takes import read_take

    for path in out:
        if path.suffix.lower() not in SUFFIXES:
            raise click.UsageError(f"--out: expected a name that ends in {', '.join(SUFFIXES)}, got {path.name!r}")
    check_outputs([source, portrait, calibration], {f"--out {path}": path for path in out})
    recorded_before = source.suffix.lower() in (".json", ".jsonl")
    if recorded_before and calibration is not None:
        raise click.UsageError("--calibration is for videos: a recorded take is already calibrated")
    config = perception_config(bundle, {"expression.calibration": str(calibration)} if calibration else {})
    if recorded_before:
        recorded = Recorded(read_take(source, face), None, None)
    else:
        recorded = record_video(source, face, config, lambda text: click.echo(text, err=True))
    for path in write_take(recorded, out, config, portrait):
        click.echo(f"written: {path}")
    return 0
