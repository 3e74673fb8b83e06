"""Faces of a source, tracked without ROS: source and pipeline in one process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from face_expr_ros.core.config import CameraConfig, PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import default_camera
from face_expr_ros.core.types import Face, FaceState, Frame, face_state
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources import open_source
from face_expr_ros.sources.calibration import read_calibration_file, resized
from face_expr_ros.sources.pace import EndOfSource, Pace
from face_expr_ros.sources.source_frame import SourceFrame, Warn

MIN_WAIT, MAX_WAIT = 0.0005, 0.1  # seconds between two checks of the clock
FRAME_ID = "camera_optical_frame"


@dataclass(frozen=True)
class TrackedFrame:
    """One image with its faces.

    Attributes:
        frame: the image; its stamp is the time of its arrival.
        faces: the results of the pipeline.
        states: the same faces as values of the message Face.
    """

    frame: Frame
    faces: tuple[Face, ...]
    states: tuple[FaceState, ...]


class LiveFaces:
    """An open source and a pipeline. Use as a context manager, in one thread.

    Args:
        camera, perception: settings of source and pipeline.
        warn: called with a message for each skipped part of the source.
        calibration: calibration file of the camera; None is that of the source, if it has one.

    Raises:
        SourceError, BundleError, ConfigError: source, pipeline or calibration cannot be opened.
    """

    def __init__(
        self, camera: CameraConfig, perception: PerceptionConfig, warn: Warn, calibration: Path | None = None
    ) -> None:
        self._calibrated = None if calibration is None else read_calibration_file(calibration)
        self._rate, self._field_of_view = camera.rate, perception.fitting.field_of_view
        self._source = open_source(camera, warn)
        try:
            self._pipeline = Pipeline(perception)
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> LiveFaces:
        return self

    def __exit__(self, *problem: object) -> None:
        self._source.close()
        self._pipeline.close()

    @property
    def model(self) -> MorphableModel:
        """The face model."""
        return self._pipeline.model

    def frames(self, seconds: float | None = None) -> Iterator[TrackedFrame]:
        """Images at the rate of the source, until it ends or for some seconds."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        pace = Pace(self._source, self._rate)
        while time.monotonic() < end:
            try:
                source_frame = pace.take()
            except EndOfSource:
                return
            if source_frame is None:
                time.sleep(min(max(pace.wait, MIN_WAIT), MAX_WAIT))
                continue
            yield self._tracked(source_frame)
            pace.prepare()

    def _tracked(self, source_frame: SourceFrame) -> TrackedFrame:
        height, width = source_frame.image.shape[:2]
        camera = self._calibrated or source_frame.camera
        camera = resized(camera, width, height) if camera else default_camera(width, height, self._field_of_view)
        frame = Frame(source_frame.image, time.time_ns(), FRAME_ID, camera)
        faces = self._pipeline(frame)
        states = tuple(face_state(face, frame.stamp_ns, self.model.name) for face in faces)
        return TrackedFrame(frame, faces, states)
