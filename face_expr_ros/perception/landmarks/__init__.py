"""Who finds the 478 FaceMesh points. A backend is a file here; its name is the value of ``landmarks.backend``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.types import Detection, Frame, Landmarks, Track
from face_expr_ros.kernels.points import scaled

LANDMARK_COUNT = 478


class LandmarkFinder(Protocol):
    """A stage with memory: it follows faces from frame to frame."""

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The points of each track's face; None where FaceMesh sees none, as in profile."""

    @property
    def untracked_detections(self) -> list[Detection]:
        """Faces that it saw in the last frame and that no track had; it may look for none."""

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""

    def close(self) -> None:
        """Free the network."""


def open_landmarks(config: LandmarksConfig) -> LandmarkFinder:
    """The backend that ``config.backend`` names.

    Raises:
        ConfigError: its model file is missing or damaged.
    """
    create: Callable[[LandmarksConfig], LandmarkFinder] = import_module(f"{__name__}.{config.backend}").create
    return create(config)


def in_pixels(points: NDArray[np.float32], width: int, height: int) -> Landmarks:
    """MediaPipe's points as ours: its coordinates run over the image from its corner, ours from a pixel's center.

    Args:
        points: (478, 3) x and y in parts of the image's size, z in parts of its width.
        width, height: of what MediaPipe saw, pixels.
    """
    return Landmarks(scaled(points, (width, height, width), (-0.5, -0.5, 0.0)).astype(np.float32, copy=False), 1.0)
