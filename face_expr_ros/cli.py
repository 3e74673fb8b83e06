"""`face_expr <verb>`: options and exit status. What a verb does lives in its own module, imported when it is called.

Exit status 0: the work was done; 1: it was not; 2: wrong usage or input, with one sentence on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_expr_ros import __version__

if TYPE_CHECKING:
    from face_expr_ros.config import PerceptionConfig

json_option = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JSON."
)
bundle_option = click.option("--bundle", default="open", show_default=True, help="Face model and weights.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--traceback", is_flag=True, help="Show where an error came from.")
def face_expr(traceback: bool) -> None:
    """Faces from camera images: head pose, face shape, expression and a live mesh."""


@face_expr.command()
@click.option("--source", default="synthetic", show_default=True, help="synthetic, device:N, a video, or a folder.")
@bundle_option
@click.option("--headless", is_flag=True, help="No window: an annotated video is written instead.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the annotated video goes when headless."
)
@json_option
def demo(
    source: str, bundle: str, headless: bool, seconds: float | None, out: Path | None, json_file: Path | None
) -> int:
    """Start camera and perception and show the annotated image."""
    from face_expr_ros.nodes.demo import run_demo

    result = run_demo(source=source, bundle=bundle, headless=headless, seconds=seconds, out=out)
    write_json(json_file, result)
    return 0 if result["frames_with_face"] else 1


@face_expr.command()
@click.option("--probe/--no-probe", default=True, show_default=True, help="Send images between two processes.")
@json_option
def doctor(probe: bool, json_file: Path | None) -> int:
    """Say what works here, what does not, and what to do about it."""
    from face_expr_ros.doctor import examine

    report = examine(probe=probe)
    for finding in report.findings:
        click.echo(finding.line())
    write_json(json_file, report.as_json())
    return 0 if report.ok else 1


@face_expr.command()
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


@face_expr.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The annotated video.")
@click.option("--jsonl", type=click.Path(dir_okay=False, path_type=Path), help="One JSON line for every frame.")
@bundle_option
def video(source: Path, out: Path | None, jsonl: Path | None, bundle: str) -> int:
    """Find the faces of every frame of a video file."""
    from face_expr_ros.offline import analyze_video

    print_result(analyze_video(source, out, jsonl, perception_config(bundle), lambda text: click.echo(text, err=True)))
    return 0


@face_expr.group()
def evaluate() -> None:
    """Measure accuracy against known truth."""


@evaluate.command()
@click.option("--frames", default=400, show_default=True, type=click.IntRange(min=1), help="Rendered people.")
@bundle_option
@json_option
def synthetic(frames: int, bundle: str, json_file: Path | None) -> int:
    """Rendered faces with known pose, shape and expression."""
    from face_expr_ros.evaluation.synthetic import evaluate as evaluate_synthetic

    result = asdict(evaluate_synthetic(perception_config(bundle), frames))
    print_result(result)
    write_json(json_file, result)
    return 0


@face_expr.command()
@click.option("--quick", is_flag=True, help="300 frames instead of 10,000, and 10 seconds instead of 30.")
@json_option
def bench(quick: bool, json_file: Path | None) -> int:
    """Measure stages, memory, and the time from an image's stamp to its faces in another process."""
    from face_expr_ros.evaluation.bench import measure
    from face_expr_ros.nodes.bench import end_to_end, marker_speedup

    result = end_to_end(10.0 if quick else 30.0)
    result |= {"marker_speedup": marker_speedup()}
    result |= measure(300 if quick else 10_000)
    print_result(result)
    write_json(json_file, result)
    return 0


def perception_config(bundle: str) -> PerceptionConfig:
    """The default settings with another bundle."""
    from face_expr_ros.config import PerceptionConfig, from_mapping

    return from_mapping(PerceptionConfig, {"bundle": bundle})


def print_result(result: Mapping[str, Any]) -> None:
    """Print names and values; a group of values is a table of its own."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            click.echo(f"{name}:")
            for key, number in value.items():
                click.echo(f"  {key:24} {number:.3f}")
        else:
            click.echo(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write a verb's result where `--json` says."""
    if path is not None:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Run a verb; the exit status."""
    try:
        return face_expr(standalone_mode=False) or 0
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        if "--traceback" in sys.argv or not is_for_the_user(error):
            raise
        print(f"face_expr: {error}", file=sys.stderr)
        return 2


def is_for_the_user(error: Exception) -> bool:
    """Whether the text of an error is a sentence about the input; any other error is a mistake of this program."""
    return isinstance(error, (ValueError, OSError)) or type(error).__module__.startswith("face_expr_ros.")
