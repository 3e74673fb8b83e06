"""Options that verbs share, and how results are printed and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from face_expr_ros.core.config import PerceptionConfig

json_option = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JSON."
)
bundle_option = click.option("--bundle", default="open", show_default=True, help="Face model and weights.")


def perception_config(bundle: str, changes: Mapping[str, Any] | None = None) -> PerceptionConfig:
    """The default settings with another bundle, and with changes by their dotted names."""
    from face_expr_ros.core.config import PerceptionConfig
    from face_expr_ros.core.settings import from_mapping

    return from_mapping(PerceptionConfig, {"bundle": bundle, **(changes or {})})


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
