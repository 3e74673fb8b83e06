"""FaceMesh as MediaPipe up to 0.10.21 ships it: the networks are inside the wheel."""

from __future__ import annotations

from typing import Any

import cv2
import mediapipe

from face_expr_ros.config import LandmarksConfig
from face_expr_ros.landmarks import in_pixels
from face_expr_ros.values import Frame, Landmarks


class MediapipeSolutions:
    """FaceMesh with irises, following faces from frame to frame."""

    def __init__(self, config: LandmarksConfig) -> None:
        self._config = config
        self._mesh = self._open()

    def _open(self) -> Any:
        return mediapipe.solutions.face_mesh.FaceMesh(
            max_num_faces=self._config.max_faces,
            refine_landmarks=True,
            min_detection_confidence=self._config.detection_confidence,
            min_tracking_confidence=self._config.tracking_confidence,
        )

    def __call__(self, frame: Frame) -> list[Landmarks]:
        """The faces in the image, in no particular order."""
        image = cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
        found = self._mesh.process(image).multi_face_landmarks or []
        return [in_pixels(face.landmark, frame) for face in found]

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""
        self._mesh.reset()

    def close(self) -> None:
        """Free the network."""
        self._mesh.close()


create = MediapipeSolutions
