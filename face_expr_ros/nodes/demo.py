"""The demo: runs camera, perception and the web server as child processes and monitors them."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.signals import terminate_as_interrupt
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.nodes.demo_monitor import DemoError, DemoMonitor, print_status
from face_expr_ros.ros.display import ImageSink, Video, Window, has_display
from face_expr_ros.ros.environment import prepare_environment
from face_expr_ros.sources import device_number, is_live, open_source
from face_expr_ros.web.config import WebConfig

DEFAULT_VIDEO = Path("out/demo.mp4")


def run_demo(
    *,
    source: str = "synthetic",
    bundle: str = "open",
    headless: bool = False,
    window: bool = False,
    web: bool = False,
    seconds: float | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Run camera and perception and show the results in a web page, a window or an annotated video.

    Args:
        source: synthetic, device:N, a video file or a folder of images.
        bundle: face model and networks.
        headless: write an annotated video instead of serving the page.
        window: show the annotated image in a window instead of serving the page.
        web: serve the page, too, with ``headless`` or ``window``.
        seconds: duration from the first image; None: until Ctrl-C, the end of a file, or the window is closed.
        out: path of the annotated video.

    Returns:
        The keys of ``./run demo --json``, as documented: frames, faces, fps, latency.

    Raises:
        DemoError: a node exits unexpectedly, no image or result is received, or there is no display for a window.
        ConfigError: the bundle does not exist.
        BundleError: the bundle is not installed, or a file is damaged.
        SourceError: the source does not exist or cannot be read.
    """
    from_mapping(PerceptionConfig, {"bundle": bundle})
    open_bundle(bundle)  # reports a missing or damaged bundle before any process is started
    if window and not has_display():
        raise DemoError("--window: expected a display, got none; omit --window, or use --headless")
    camera = camera_overrides(source, loop=not headless or seconds is not None)
    if not is_live(source):
        print_status(f"playing {source} {'in a loop' if camera['loop'] else 'once'}")
    prepare_environment()
    with ExitStack() as stack:
        sink = _image_sink(headless, window, out or DEFAULT_VIDEO)
        if sink is not None:
            stack.enter_context(sink)
        page = {"bundle": bundle, "port": free_port(WebConfig().port)} if web or not (headless or window) else None
        perception = {"bundle": bundle, "first_id": 1}
        return run_nodes(sink, camera, perception, seconds, page).report()


def run_nodes(
    sink: ImageSink | None,
    camera: dict[str, Any],
    perception: dict[str, Any],
    seconds: float | None,
    page: dict[str, Any] | None,
) -> DemoMonitor:
    """Run the nodes with these parameters until the end of the demo; returns the monitor with its statistics.

    ``page`` are the parameters of the web server; None disables it.
    """
    with ExitStack() as stack:
        stack.enter_context(terminate_as_interrupt())
        stack.callback(rclpy.try_shutdown)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        monitor = DemoMonitor(sink)
        stack.callback(monitor.destroy_node)
        try:
            monitor.run(camera, perception, seconds, page)
        except KeyboardInterrupt:
            pass
        finally:
            monitor.stop_children()
    return monitor


def camera_overrides(source: str, *, loop: bool) -> dict[str, Any]:
    """Parameters of the camera node for a source.

    Raises:
        SourceError: a file or folder does not exist or cannot be read.
    """
    overrides: dict[str, Any] = {"source": source, "loop": loop}
    if source.startswith("device:"):
        device_number(source)
    if not is_live(source):
        open_source(CameraConfig(source=source), print_status).close()
    return overrides


def _image_sink(headless: bool, window: bool, video: Path) -> ImageSink | None:
    """The output of the annotated images; None if only the page is served."""
    if headless:
        print_status(f"writing the annotated video to {video}")
        return Video(video)
    return Window() if window else None


def free_port(preferred: int) -> int:
    """The preferred port of the web server, or another free port if it is in use.

    Raises:
        DemoError: there is no free port.
    """
    host = WebConfig().host
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise DemoError(f"the web server requires a free port on {host}, but none is available")
