"""FaceMesh as MediaPipe's Tasks offer it, from 0.10.30 on the only way; needs face_landmarker.task as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

from face_expr_ros.config import ConfigError, LandmarksConfig
from face_expr_ros.landmarks import in_pixels
from face_expr_ros.values import Frame, Landmarks

# Video mode wants stamps that only grow and cannot be reset, so it gets a counter of its own.
_FRAME_MS = 33
_WANTED = "landmarks.model_path must name MediaPipe's face_landmarker.task when landmarks.backend is mediapipe_tasks"


class MediapipeTasks:
    """FaceLandmarker in video mode, following faces from frame to frame."""

    def __init__(self, config: LandmarksConfig) -> None:
        if not Path(config.model_path).is_file():
            raise ConfigError(f"{_WANTED}, {config.model_path!r} was given and is no file")
        self._config = config
        try:
            self._landmarker = self._open()
        except (RuntimeError, ValueError) as error:  # MediaPipe's words for a file that it cannot read
            raise ConfigError(f"{_WANTED}, {config.model_path!r} was given and cannot be read ({error})") from error
        self._clock_ms = 0

    def _open(self) -> Any:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=self._config.model_path),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=self._config.max_faces,
            min_face_detection_confidence=self._config.detection_confidence,
            min_face_presence_confidence=self._config.tracking_confidence,
            min_tracking_confidence=self._config.tracking_confidence,
        )
        return vision.FaceLandmarker.create_from_options(options)

    def __call__(self, frame: Frame) -> list[Landmarks]:
        """The faces in the image, in no particular order."""
        self._clock_ms += _FRAME_MS
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
        found = self._landmarker.detect_for_video(image, self._clock_ms).face_landmarks
        return [in_pixels(points, frame) for points in found]

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""
        self._landmarker.close()
        self._landmarker = self._open()

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()


create = MediapipeTasks
