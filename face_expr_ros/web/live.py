"""The server without ROS: source, pipeline and web server in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Camera, Frame, face_state
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources import SourceFrame, open_source, without_password
from face_expr_ros.sources.calibration import read_calibration_file, resized
from face_expr_ros.sources.pace import EndOfSource, Pace
from face_expr_ros.sources.source_frame import Warn
from face_expr_ros.web.config import WebConfig
from face_expr_ros.web.picture import PicturePace, camera_picture
from face_expr_ros.web.security import check_exposure
from face_expr_ros.web.server import FaceServer

MIN_WAIT, MAX_WAIT = 0.0005, 0.1  # seconds between two looks at the clock


def serve(
    web: WebConfig,
    camera: CameraConfig,
    perception: PerceptionConfig,
    *,
    warn: Warn,
    ready: Callable[[FaceServer], None],
    seconds: float | None = None,
    calibration: Path | None = None,
) -> int:
    """Track the faces in a source and send them to the page, until the source ends or for some seconds.

    Args:
        web, camera, perception: settings of server, source and pipeline.
        warn: called with a message for each skipped part of the source.
        ready: called when the page is available.
        seconds: maximum duration; None is unlimited.
        calibration: calibration file of the camera; None is that of the source, if it has one.

    Returns:
        Number of processed images.

    Raises:
        SourceError, BundleError, ConfigError, ServerError: a part cannot be opened.
    """
    check_exposure(web)  # before the slow parts
    calibrated = None if calibration is None else read_calibration_file(calibration)
    with ExitStack() as stack:
        source = open_source(camera, warn)
        stack.callback(source.close)
        pipeline = Pipeline(perception)
        stack.callback(pipeline.close)
        server = FaceServer(web, pipeline.model, without_password(camera.source))
        stack.callback(server.close)
        ready(server)
        process = _FrameProcessing(pipeline, server, perception.fitting.field_of_view, calibrated)
        _process_source(Pace(source, camera.rate), process, float("inf") if seconds is None else seconds)
        return process.images


def _process_source(pace: Pace, process: _FrameProcessing, seconds: float) -> None:
    """Process frames at the rate of the source until it ends or the duration is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            source_frame = pace.take()
        except EndOfSource:
            return
        if source_frame is None:
            time.sleep(min(max(pace.wait, MIN_WAIT), MAX_WAIT))
            continue
        process(source_frame)
        pace.prepare()


class _FrameProcessing:
    """Processes one frame of the source and sends the result."""

    def __init__(self, pipeline: Pipeline, server: FaceServer, field_of_view: float, calibrated: Camera | None) -> None:
        self.images = 0
        self._pipeline = pipeline
        self._server = server
        self._field_of_view = field_of_view
        self._calibrated = calibrated
        self._pictures = PicturePace()

    def __call__(self, source_frame: SourceFrame) -> None:
        height, width = source_frame.image.shape[:2]
        camera = self._calibrated or source_frame.camera
        camera = resized(camera, width, height) if camera else default_camera(width, height, self._field_of_view)
        frame = Frame(source_frame.image, time.time_ns(), "camera_optical_frame", camera)
        faces = self._pipeline(frame)
        states = [face_state(face, frame.stamp_ns, self._pipeline.model.name) for face in faces]
        self._server.publish(states, frame.stamp_ns, camera)
        if self._server.has_camera_clients and self._pictures.due(time.monotonic()):
            self._server.publish_picture(camera_picture(frame.image, frame.stamp_ns))
        self.images += 1
