"""Who finds the 478 FaceMesh points. A backend is a file here; its name is the value of ``landmarks.backend``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from face_expr_ros.config import LandmarksConfig
from face_expr_ros.values import Frame, Landmarks

LANDMARK_COUNT = 478


class LandmarkDetector(Protocol):
    """A stage with memory: it follows faces from frame to frame."""

    def __call__(self, frame: Frame) -> list[Landmarks]:
        """The faces in the image, in no particular order."""

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""

    def close(self) -> None:
        """Free the network."""


def open_detector(config: LandmarksConfig) -> LandmarkDetector:
    """The detector that ``config.backend`` names."""
    create: Callable[[LandmarksConfig], LandmarkDetector] = import_module(f"{__name__}.{config.backend}").create
    return create(config)


def in_pixels(points: Any, frame: Frame) -> Landmarks:
    """MediaPipe's points as ours: its coordinates run over the image from its corner, ours from a pixel's center.

    Args:
        points: 478 objects with x and y in parts of the image's size and z in parts of its width.
    """
    height, width = frame.image.shape[:2]
    normalized = np.array([(point.x, point.y, point.z) for point in points], dtype=np.float32)
    scaled = normalized * np.array([width, height, width], dtype=np.float32)
    return Landmarks(scaled - np.array([0.5, 0.5, 0.0], dtype=np.float32), confidence=1.0)
