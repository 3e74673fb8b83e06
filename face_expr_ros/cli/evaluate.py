"""`face_expr evaluate PROTOCOL`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from face_expr_ros.cli.common import bundle_option, json_option, perception_config, print_result, write_json


@click.group()
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
