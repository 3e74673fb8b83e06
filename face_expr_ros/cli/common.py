"""Options that several verbs share, and printing and writing of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_expr_ros.core.atomic_files import write_text

if TYPE_CHECKING:
    from face_expr_ros.core.config import PerceptionConfig


class OutputFile(click.Path):
    """A file to write: its folder must exist, so that a mistyped name is refused before the work."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path.

        Raises:
            BadParameter: it is a folder, or its folder does not exist.
        """
        path: Path = super().convert(value, param, ctx)  # type: ignore[assignment]  # click's stubs ignore path_type
        if not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}: create it first", param, ctx)
        return path


json_option = click.option("--json", "json_file", type=OutputFile(), help="Write the result as JSON.")
source_option = click.option(
    "--source", default="synthetic", show_default=True,
    help="Images: synthetic, device:N, a URL (rtsp://host/stream), a video file, an image file or a folder of images.",
)  # fmt: skip
camera_info_option = click.option(
    "--camera-info", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Calibration of the camera: a YAML file of ROS's camera_calibration.",
)  # fmt: skip
bundle_option = click.option("--bundle", default="open", show_default=True, help="Face model and weights.")

VERBOSE = "--verbose"  # read from the command line before click, so that native libraries start quiet


def add_verbose_option(command: click.Command) -> None:
    """Accept ``--verbose`` for a verb, and for all verbs of a group."""
    text = "Show log lines of native libraries, and the traceback of an error."
    command.params.append(click.Option([VERBOSE], is_flag=True, expose_value=False, help=text))
    for verb in command.commands.values() if isinstance(command, click.Group) else ():
        add_verbose_option(verb)


landmarks_option = click.option("--landmarks", help="Landmark backend: a value of landmarks.backend.")
task_option = click.option(
    "--task", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="MediaPipe's face_landmarker.task."
)


def landmark_settings(landmarks: str | None, task: Path | None) -> dict[str, Any]:
    """The parameters that ``--landmarks`` and ``--task`` change: the landmarks and the detector of the same library."""
    settings = {"landmarks.backend": landmarks} if landmarks else {}
    if landmarks == "mediapipe_solutions":
        settings["detection.backend"] = "mediapipe"
    return settings | ({"landmarks.model_path": str(task)} if task else {})


def perception_config(bundle: str, changes: Mapping[str, Any] | None = None) -> PerceptionConfig:
    """The default settings with a bundle and with ``changes``: dotted parameter name -> value."""
    from face_expr_ros.core.config import PerceptionConfig
    from face_expr_ros.core.settings import from_mapping

    return from_mapping(PerceptionConfig, {"bundle": bundle, **(changes or {})})


def print_result(result: Mapping[str, Any]) -> None:
    """Print names and values; a nested mapping is printed as an indented table."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            click.echo(f"{name}:")
            for key, number in value.items():
                click.echo(f"  {key:24} {number:.3f}")
        else:
            click.echo(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the result of a verb to the file of ``--json``."""
    if path is not None:
        write_text(path, json.dumps(result, indent=2) + "\n")
