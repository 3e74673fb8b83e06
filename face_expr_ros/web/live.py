"""The server without ROS: source, pipeline, web server and avatars in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from face_expr_ros.core.calibration import Calibration
from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.types import FaceState
from face_expr_ros.sources import without_password
from face_expr_ros.sources.live_faces import LiveFaces
from face_expr_ros.sources.source_frame import Warn
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.picture import PicturePace, camera_picture
from face_expr_ros.web.security import check_exposure
from face_expr_ros.web.server import FaceServer


def serve(
    web: WebConfig,
    camera: CameraConfig,
    perception: PerceptionConfig,
    *,
    warn: Warn,
    ready: Callable[[FaceServer], None],
    seconds: float | None = None,
    calibration: Path | None = None,
    person: Calibration | None = None,
    forward: Callable[[Sequence[FaceState]], object] | None = None,
) -> int:
    """Track the faces in a source and send them to the page, until the source ends or for some seconds.

    Args:
        web, camera, perception: settings of server, source and pipeline.
        warn: called with a message for each skipped part of the source.
        ready: called when the page is available.
        seconds: maximum duration; None is unlimited.
        calibration: calibration file of the camera; None is that of the source, if it has one.
        person: calibration of the person in view; the page may replace it.
        forward: called with the calibrated faces of each image.

    Returns:
        Number of processed images.

    Raises:
        SourceError, BundleError, ConfigError, ServerError: a part cannot be opened.
    """
    check_exposure(web)  # before the slow parts
    images, pictures = 0, PicturePace()
    with ExitStack() as stack:
        live = stack.enter_context(LiveFaces(camera, perception, warn, calibration))
        server = FaceServer(web, live.model, without_password(camera.source), person)
        stack.callback(server.close)
        ready(server)
        for tracked in live.frames(seconds):
            frame = tracked.frame
            states = server.publish(tracked.states, frame.stamp_ns, frame.camera)
            if forward is not None:
                forward(states)
            clients = server.camera_clients
            if clients and pictures.due(time.monotonic(), clients):
                server.publish_picture(camera_picture(frame.image, frame.stamp_ns))
            images += 1
    return images
