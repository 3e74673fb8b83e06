"""The verb web: the page without ROS."""

from __future__ import annotations

from typing import Any

import click

from face_expr_ros.cli.common import bundle_option, perception_config


@click.command()
@click.option("--source", default="synthetic", show_default=True, help="synthetic, device:N, a video, or a folder.")
@bundle_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others want a token.")
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--token", default="", help="What a client must know; at least 16 letters, digits, - . _ ~.")
@click.option("--allowed-origins", default="", help="Other origins whose pages may connect, separated by commas.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option("--once", is_flag=True, help="Play a file or folder once and end, instead of again and again.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so many seconds.")
def web(source: str, bundle: str, open_page: bool, once: bool, seconds: float | None, **server: Any) -> int:
    """Look for faces in a source and show them on a page in the browser; ROS is not needed."""
    import webbrowser

    from face_expr_ros.core.config import CameraConfig
    from face_expr_ros.core.settings import from_mapping
    from face_expr_ros.web.config import WebConfig
    from face_expr_ros.web.live import serve
    from face_expr_ros.web.server import FaceServer

    def ready(running: FaceServer) -> None:
        click.echo(f"the page is at {running.url} (Ctrl-C ends)")
        if open_page and not webbrowser.open(running.url):
            click.echo("no browser was found here: open the address yourself", err=True)

    camera = from_mapping(CameraConfig, {"source": source, "loop": not once})
    config = from_mapping(WebConfig, {**server, "bundle": bundle})
    try:
        images = serve(
            config, camera, perception_config(bundle), warn=lambda text: click.echo(text, err=True), ready=ready,
            seconds=seconds,
        )  # fmt: skip
    except KeyboardInterrupt:
        return 0
    return 0 if images else 1
