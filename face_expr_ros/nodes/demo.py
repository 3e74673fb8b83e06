"""The demo: camera, perception and the page's server as processes, watched by one more, which is this one."""

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
from face_expr_ros.nodes.demo_monitor import Demo, DemoError, say
from face_expr_ros.ros.display import Show, Video, Window, has_screen
from face_expr_ros.ros.environment import prepare_environment
from face_expr_ros.sources import device_number, is_live, open_source
from face_expr_ros.sources.video import VideoSource
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
    """Run camera and perception and watch what comes out, on a page in the browser unless another way is asked for.

    Args:
        source: synthetic, device:N, a video file or a folder of images.
        bundle: face model and weights.
        headless: no page; an annotated video is written instead.
        window: no page; a window shows the annotated image.
        web: the page, too.
        seconds: from the first image; None: until Ctrl-C, the end of a file, or the window is closed.
        out: the annotated video.

    Returns:
        The keys of docs' ``./run demo --json``: frames, faces, fps, latency.

    Raises:
        DemoError: a node ended by itself, no image or no answer came, or there is no screen for a window.
        ConfigError: there is no such bundle.
        BundleError: it is not installed, or a file is damaged.
        SourceError: the source is not there or cannot be read.
    """
    from_mapping(PerceptionConfig, {"bundle": bundle})
    open_bundle(bundle)  # what is wrong with it is said here, and not by a node that ends
    if window and not has_screen():
        raise DemoError("a screen was wanted for --window and there is none: leave it out, or give --headless")
    camera = camera_overrides(source, loop=not headless or seconds is not None)
    if not is_live(source):
        say(f"{source} is played {'again and again' if camera['loop'] else 'once'}")
    prepare_environment()
    with ExitStack() as stack:
        show = _show(headless, window, out or DEFAULT_VIDEO, camera.get("rate", CameraConfig().rate))
        if show is not None:
            stack.enter_context(show)
        page = {"bundle": bundle, "port": free_port(WebConfig().port)} if web or not (headless or window) else None
        return watch(show, camera, {"bundle": bundle}, seconds, page).report()


def watch(
    show: Show | None,
    camera: dict[str, Any],
    perception: dict[str, Any],
    seconds: float | None,
    page: dict[str, Any] | None,
) -> Demo:
    """Run the nodes with these parameters under the eyes of a Demo, which has ended when it is returned.

    ``page`` are the parameters of the page's server; without them there is none.
    """
    with ExitStack() as stack:
        stack.enter_context(terminate_as_interrupt())
        stack.callback(rclpy.try_shutdown)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        demo = Demo(show)
        stack.callback(demo.destroy_node)
        try:
            demo.run(camera, perception, seconds, page)
        except KeyboardInterrupt:
            pass
        finally:
            demo.stop_children()
    return demo


def camera_overrides(source: str, *, loop: bool) -> dict[str, Any]:
    """Parameters of the camera node for a source; a video keeps its own rate.

    Raises:
        SourceError: a file or folder is not there or cannot be read.
    """
    overrides: dict[str, Any] = {"source": source, "loop": loop}
    if source.startswith("device:"):
        device_number(source)
    if not is_live(source):
        opened = open_source(CameraConfig(source=source), say)
        if isinstance(opened, VideoSource) and 1 <= opened.rate <= 240:
            overrides["rate"] = opened.rate
        opened.close()
    return overrides


def _show(headless: bool, window: bool, video: Path, rate: float) -> Show | None:
    """Who shows the annotated image; nobody where the page is enough."""
    if headless:
        say(f"the annotated video goes to {video}")
        return Video(video, rate)
    return Window() if window else None


def free_port(usual: int) -> int:
    """The page's usual port, or another one where that is taken.

    Raises:
        DemoError: there is none.
    """
    host = WebConfig().host
    for port in (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise DemoError(f"a free port on {host} was wanted for the page and there is none")
