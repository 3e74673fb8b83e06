"""FaceMesh as MediaPipe's Tasks offer it, from 0.10.30 on the only way; needs face_landmarker.task as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from scipy.optimize import linear_sum_assignment

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.geometry import bounding_box, crop_from_landmarks
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Detection, Frame, Landmarks, Track
from face_expr_ros.perception.detection.boxes import overlap
from face_expr_ros.perception.landmarks import in_pixels

# Video mode wants stamps that only grow and cannot be reset, so it gets a counter of its own.
_FRAME_MS = 33
_WANTED = "landmarks.model_path must name MediaPipe's face_landmarker.task when landmarks.backend is mediapipe_tasks"
_LEAST_OVERLAP = 0.3  # of the crop of its points with a track's crop, for a face to be the track's


class MediapipeTasks:
    """FaceLandmarker in video mode. It finds faces in the whole image by itself; a track gets the one on it."""

    def __init__(self, config: LandmarksConfig) -> None:
        if not Path(config.model_path).is_file():
            raise ConfigError(f"{_WANTED}, {config.model_path!r} was given and is no file")
        self._config = config
        try:
            self._landmarker = self._open()
        except (RuntimeError, ValueError) as error:  # MediaPipe's words for a file that it cannot read
            raise ConfigError(f"{_WANTED}, {config.model_path!r} was given and cannot be read ({error})") from error
        self._clock_ms = 0
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
        return vision.FaceLandmarker.create_from_options(options)

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The points of each track's face, None where FaceLandmarker sees none there."""
        self._clock_ms += _FRAME_MS
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB))
        height, width = frame.image.shape[:2]
        found = [
            in_pixels(np.array([(point.x, point.y, point.z) for point in points], np.float32), width, height)
            for points in self._landmarker.detect_for_video(image, self._clock_ms).face_landmarks
        ]
        owners = _owners(found, tracks)
        self.untracked_detections = [
            _detection(points) for index, points in enumerate(found) if index not in owners.values()
        ]
        return [found[owners[index]] if index in owners else None for index in range(len(tracks))]

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""
        self._landmarker.close()
        self._landmarker = self._open()
        self.untracked_detections = []

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()


def _owners(found: list[Landmarks], tracks: list[Track]) -> dict[int, int]:
    """Index of the track -> index of its face, so that the overlaps are most in sum."""
    if not found or not tracks:
        return {}
    crops = [crop_from_landmarks(points.points) for points in found]
    shared = np.array([[overlap(track.crop, crop) for crop in crops] for track in tracks])
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    return {int(track): int(face) for track, face in pairs if shared[track, face] >= _LEAST_OVERLAP}


def _detection(landmarks: Landmarks) -> Detection:
    """FaceMesh's points reach from the forehead to the chin, as a detection does."""
    return Detection(bounding_box(landmarks.points), landmarks.confidence, roll=0.0)


create = MediapipeTasks
