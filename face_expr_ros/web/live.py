"""The server without ROS: a source, the pipeline and the page in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Frame, face_state
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources import SourceFrame, open_source
from face_expr_ros.sources.pace import EndOfSource, Pace
from face_expr_ros.sources.source_frame import Warn
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.picture import PicturePace, camera_picture
from face_expr_ros.web.security import check_exposure
from face_expr_ros.web.server import FaceServer

NAP = 0.002  # seconds between two looks at the clock


def serve(
    web: WebConfig,
    camera: CameraConfig,
    perception: PerceptionConfig,
    *,
    warn: Warn,
    ready: Callable[[FaceServer], None],
    seconds: float | None = None,
) -> int:
    """Look for faces in a source and send them to the page, until the source ends or for some seconds.

    Args:
        web, camera, perception: settings of the server, the source and the pipeline.
        warn: called with a sentence for what is left out of the source.
        ready: called once the page can be opened.
        seconds: None: until the source ends, or Ctrl-C.

    Returns:
        How many images were looked at.

    Raises:
        SourceError, BundleError, ConfigError, ServerError: something is not there or cannot be used.
    """
    check_exposure(web)  # before anything that takes long
    with ExitStack() as stack:
        source = open_source(camera, warn)
        stack.callback(source.close)
        pipeline = Pipeline(perception)
        stack.callback(pipeline.close)
        server = FaceServer(web, pipeline.model, camera.source)
        stack.callback(server.close)
        ready(server)
        line = _Line(pipeline, server, perception.fitting.field_of_view)
        pace = Pace(source, camera.rate)
        end = time.monotonic() + (float("inf") if seconds is None else seconds)
        while time.monotonic() < end:
            try:
                shot = pace.take()
            except EndOfSource:
                break
            if shot is None:
                time.sleep(NAP)
                continue
            line(shot)
            pace.prepare()
        return line.images


class _Line:
    """One image after the other, from the source to the server."""

    def __init__(self, pipeline: Pipeline, server: FaceServer, field_of_view: float) -> None:
        self.images = 0
        self._pipeline = pipeline
        self._server = server
        self._field_of_view = field_of_view
        self._pictures = PicturePace()

    def __call__(self, shot: SourceFrame) -> None:
        height, width = shot.image.shape[:2]
        camera = shot.camera or default_camera(width, height, self._field_of_view)
        frame = Frame(shot.image, time.time_ns(), "camera_optical_frame", camera)
        faces = self._pipeline(frame)
        states = [face_state(face, frame.stamp_ns, self._pipeline.model.name) for face in faces]
        self._server.publish(states, frame.stamp_ns, camera)
        if self._server.picture_wanted and self._pictures.due(time.monotonic()):
            self._server.show(camera_picture(frame.image, frame.stamp_ns))
        self.images += 1
