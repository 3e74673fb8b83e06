"""The verb calibrate: the guided calibration of a person, or the neutral expression in a running node."""

from __future__ import annotations

from pathlib import Path

import click

from face_expr_ros.cli.common import bundle_option, source_option
from face_expr_ros.cli.outputs import check_outputs

_NODE_TIMEOUT = 5.0  # seconds


@click.command()
@source_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("calibration.yaml"),
    show_default=True,
    help="The calibration of the person.",
)
@click.option("--name", default="", help="Name of the person, written into the file.")
@bundle_option
@click.option("--node", help="Instead: set the neutral expression of each face in view of this running node.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help=f"With --node: seconds to wait for it.  [default: {_NODE_TIMEOUT:g}]",
)
@click.pass_context
def calibrate(
    context: click.Context, source: str, out: Path, name: str, bundle: str, node: str | None, timeout: float | None
) -> int:
    """Measure a person's expressions in a guided minute and write calibration.yaml.

    It works without ROS, with the camera of --source device:0. With --node /perception, the running perception node
    takes the mean expression of the last second as the neutral expression instead; that requires ROS.
    """
    if node is None:
        if timeout is not None:
            raise click.UsageError("--timeout is for --node")
        return _guided(source, out, name, bundle)
    given = click.core.ParameterSource.COMMANDLINE
    if any(context.get_parameter_source(option) == given for option in ("source", "out", "name", "bundle")):
        raise click.UsageError("--node sets the neutral expression only: omit --source, --out, --name and --bundle")
    from face_expr_ros.ros.calibrate import calibrate_neutral

    done, message = calibrate_neutral(node, _NODE_TIMEOUT if timeout is None else timeout)
    click.echo(message)
    return 0 if done else 1


def _guided(source: str, out: Path, name: str, bundle: str) -> int:
    from face_expr_ros.cli.common import perception_config
    from face_expr_ros.core.atomic_files import write_text
    from face_expr_ros.core.calibration import calibration_yaml
    from face_expr_ros.core.config import CameraConfig
    from face_expr_ros.core.settings import from_mapping
    from face_expr_ros.sources.guided import run_guided
    from face_expr_ros.sources.live_faces import LiveFaces

    check_outputs([Path(source).expanduser()], {"--out": out})
    camera = from_mapping(CameraConfig, {"source": source})
    with LiveFaces(camera, perception_config(bundle), lambda text: click.echo(text, err=True)) as live:
        calibration, notes = run_guided(live.frames(), click.echo, name)
    for note in notes:
        click.echo(f"note: {note}")
    write_text(out, calibration_yaml(calibration))
    click.echo(f"written: {out}; use it with --calibration {out}, or as the parameter expression.calibration")
    return 0
