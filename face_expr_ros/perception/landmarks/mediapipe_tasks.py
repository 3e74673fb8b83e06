"""FaceMesh through MediaPipe Tasks, which MediaPipe 0.10.30 and later require; needs the file face_landmarker.task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from face_expr_ros.core.assignment import least_cost_pairs
from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.geometry import bounding_box, crop_from_landmarks
from face_expr_ros.core.native_output import native_output_hidden
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Detection, Frame, Landmarks, Track
from face_expr_ros.perception.detection.boxes import overlap
from face_expr_ros.perception.landmarks import in_pixels

# Video mode requires timestamps that increase and cannot be reset, so frames are counted here.
_FRAME_MS = 33
_EXPECTED = "landmarks.model_path: expected the path of MediaPipe's face_landmarker.task for backend mediapipe_tasks"
_MIN_OVERLAP = 0.3  # between the crops of a face and of a track, to match them


class MediapipeTasks:
    """FaceLandmarker in video mode. It searches the whole image itself; its faces are matched to the tracks by overlap.

    Its state is inside MediaPipe and cannot be saved.
    """

    resumable = False

    def __init__(self, config: LandmarksConfig) -> None:
        if not Path(config.model_path).is_file():
            raise ConfigError(f"{_EXPECTED}, got {config.model_path!r}, which is not a file")
        self._config = config
        try:
            self._landmarker = self._open()
        except (RuntimeError, ValueError) as error:  # raised by MediaPipe for a file that it cannot read
            raise ConfigError(f"{_EXPECTED}, got {config.model_path!r}, which cannot be read ({error})") from error
        self._timestamp_ms = 0
        self.untracked_detections: list[Detection] = []

    def _open(self) -> Any:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=self._config.model_path),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=self._config.max_faces,
            min_face_detection_confidence=self._config.presence,
            min_face_presence_confidence=self._config.presence,
            min_tracking_confidence=self._config.presence,
        )
        with native_output_hidden():
            return vision.FaceLandmarker.create_from_options(options)

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The landmarks of each track; None where FaceLandmarker finds no face there."""
        self._timestamp_ms += _FRAME_MS
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
        height, width = frame.image.shape[:2]
        found = [
            in_pixels(np.array([(point.x, point.y, point.z) for point in points], np.float32), width, height)
            for points in self._landmarker.detect_for_video(image, self._timestamp_ms).face_landmarks
        ]
        matches = _match(found, tracks)
        self.untracked_detections = [
            _detection(points) for index, points in enumerate(found) if index not in matches.values()
        ]
        return [found[matches[index]] if index in matches else None for index in range(len(tracks))]

    def reset(self) -> None:
        """Delete the state: the next frame is unrelated to the previous one."""
        self._landmarker.close()
        self._landmarker = self._open()
        self.untracked_detections = []

    def state_dict(self) -> dict[str, Any]:
        """Not available. Raises NotImplementedError."""
        raise NotImplementedError("the state of landmarks.backend mediapipe_tasks is inside MediaPipe")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Not available. Raises NotImplementedError."""
        raise NotImplementedError("the state of landmarks.backend mediapipe_tasks is inside MediaPipe")

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()


def _match(found: list[Landmarks], tracks: list[Track]) -> dict[int, int]:
    """Index of the track -> index of its face: the assignment with the largest total overlap."""
    if not found or not tracks:
        return {}
    crops = [crop_from_landmarks(points.points) for points in found]
    overlaps = np.array([[overlap(track.crop, crop) for crop in crops] for track in tracks])
    pairs = least_cost_pairs(-overlaps)
    return {track: face for track, face in pairs if overlaps[track, face] >= _MIN_OVERLAP}


def _detection(landmarks: Landmarks) -> Detection:
    """The box of the landmarks, which reaches from the forehead to the chin as a detection does."""
    return Detection(bounding_box(landmarks.points), landmarks.confidence, roll=0.0)
