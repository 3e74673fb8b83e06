"""The verb web: the web page without ROS."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from face_expr_ros.cli.avatar import avatars_option, calibration_option, open_avatars, put
from face_expr_ros.cli.common import bundle_option, camera_info_option, perception_config, source_option


@click.command()
@source_option
@camera_info_option
@calibration_option
@avatars_option
@bundle_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; addresses other than the loopback require --token.",
)
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 selects a free port.")
@click.option("--token", default="", help="Access token of the clients: at least 16 letters, digits or - . _ ~")
@click.option(
    "--tls",
    is_flag=True,
    help="Encrypt connections with a certificate made by the server, listen on all addresses and print a QR code for "
    "phones; the token is random unless --token is given.",
)
@click.option("--tls-certificate", default="", help="Certificate file (PEM) to use instead; requires --tls-key.")
@click.option("--tls-key", default="", help="Private key file (PEM) of the certificate.")
@click.option("--allowed-origins", default="", help="Additional origins that may connect, separated by commas.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--once", is_flag=True, help="Play a file or folder once instead of repeating it.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
def web(
    source: str, camera_info: Path | None, calibration: Path | None, avatars: Path | None, bundle: str, open_page: bool,
    once: bool, seconds: float | None, **server: Any,
) -> int:  # fmt: skip
    """Show detected faces on a web page, without ROS."""
    import webbrowser

    from face_expr_ros.core.calibration import load_calibration
    from face_expr_ros.core.config import CameraConfig
    from face_expr_ros.core.settings import from_mapping
    from face_expr_ros.retargeting.avatar_config import load_targets
    from face_expr_ros.web.config import WebConfig
    from face_expr_ros.web.live import serve
    from face_expr_ros.web.phone import terminal_code
    from face_expr_ros.web.server import FaceServer

    _open_to_network(server)

    def ready(running: FaceServer) -> None:
        click.echo(f"the page is at {running.url} (stop with Ctrl-C)")
        if server["tls"] and running.network_url:
            click.echo(f"on a phone in the same network: {running.network_url}")
            click.echo(terminal_code(running.network_url), nl=False)
        if open_page and not webbrowser.open(running.url):
            click.echo("no browser found: open the URL yourself", err=True)

    camera = from_mapping(CameraConfig, {"source": source, "loop": not once})
    config = from_mapping(WebConfig, {**server, "bundle": bundle})
    person = load_calibration(calibration) if calibration else None
    with ExitStack() as stack:
        senders = stack.enter_context(closing(open_avatars(load_targets(str(avatars))))) if avatars else None
        forward = None if senders is None else partial(put, senders)
        try:
            images = serve(
                config, camera, perception_config(bundle), warn=lambda text: click.echo(text, err=True), ready=ready,
                seconds=seconds, calibration=camera_info, person=person, forward=forward,
            )  # fmt: skip
        except KeyboardInterrupt:
            return 0
    return 0 if images else 1


def _open_to_network(server: dict[str, Any]) -> None:
    """With --tls and without --host, listen on all addresses; a server that others can reach gets a random token."""
    import secrets

    from click.core import ParameterSource

    if not server["tls"]:
        return
    if click.get_current_context().get_parameter_source("host") == ParameterSource.DEFAULT:
        server["host"] = "0.0.0.0"
    server["token"] = server["token"] or secrets.token_urlsafe()
