"""The verb fetch-models."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from face_expr_ros.cli.common import json_option, write_json
from face_expr_ros.cli.outputs import check_outputs


@click.command("fetch-models")
@click.argument("bundle")
@click.option(
    "--from",
    "source",
    type=click.Path(file_okay=False, path_type=Path),
    help="Use the files in this folder instead of downloading them.",
)
@click.option("--accept-bfm-licence", "accepted", is_flag=True, help="Accept the license of the Basel Face Model.")
@json_option
def fetch_models(bundle: str, source: Path | None, accepted: bool, json_file: Path | None) -> int:
    """Download, verify and convert the files of a bundle.

    BUNDLE is the name of a bundle that is not part of the package: 3ddfa_v2.
    """
    from face_expr_ros.models import fetch

    name, text, address = fetch.license_of(bundle)
    click.echo(f"License of bundle {bundle}, {name}: {address}\n\n{text}\n", err=True)
    if not accepted and not (sys.stdin.isatty() and click.confirm("Do you accept it?", err=True)):
        raise click.UsageError(f"nothing was downloaded: read {address} and give --accept-bfm-licence to accept it")
    check_outputs([source], {"--json": json_file})
    result = fetch.fetch_models(bundle, source)
    for file in result["installed"]:
        click.echo(f"{file['name']:24}{file['bytes']:>12,} bytes")
    click.echo(f"bundle {bundle} is installed in {result['folder']}")
    for file, lack in result["missing"].items():
        click.echo(f"without {file}, {lack}")
    write_json(json_file, result)
    return 0
