"""The 478 FaceMesh landmarks. `BACKENDS` lists the landmark backends by the value of ``landmarks.backend``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.settings import backend
from face_expr_ros.core.types import Detection, Frame, Landmarks, Track
from face_expr_ros.perception.mediapipe_version import require_mediapipe

LANDMARK_COUNT = 478


class LandmarkDetector(Protocol):
    """A stage with state: it uses the landmarks of the previous frame.

    Attributes:
        resumable: whether `state_dict` is available.
    """

    resumable: bool

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The landmarks of each track; None where FaceMesh does not find the face, as in profile."""

    @property
    def untracked_detections(self) -> list[Detection]:
        """Faces found in the previous frame that belong to no track; empty if the backend does not search for any."""

    def reset(self) -> None:
        """Delete the state: the next frame is unrelated to the previous one."""

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""

    def close(self) -> None:
        """Free the network."""


def open_landmarks(config: LandmarksConfig) -> LandmarkDetector:
    """The backend that ``config.backend`` names.

    Raises:
        ConfigError: the backend is unknown or not installed, or the file at model_path is missing or damaged.
        BundleError: a network of this package is missing or damaged.
    """
    return backend(BACKENDS, "landmarks.backend", config.backend)(config)


def in_pixels(points: NDArray[np.float32], width: int, height: int) -> Landmarks:
    """Convert MediaPipe's normalized points to pixels, with (0, 0) at the center of the first pixel.

    Args:
        points: (478, 3) x and y relative to the image size, z relative to its width.
        width, height: of the image, pixels.
    """
    pixels = points * (width, height, width) - (0.5, 0.5, 0.0)
    return Landmarks(pixels.astype(np.float32), 1.0)


def _solutions(config: LandmarksConfig) -> LandmarkDetector:
    require_mediapipe("landmarks.backend", config.backend, "facemesh")
    from face_expr_ros.perception.landmarks.mediapipe_solutions import SolutionsNetwork
    from face_expr_ros.perception.landmarks.regions import RegionLandmarks

    return RegionLandmarks(SolutionsNetwork(), config.presence)


def _tasks(config: LandmarksConfig) -> LandmarkDetector:
    require_mediapipe("landmarks.backend", config.backend, "facemesh_v2", solutions=False)
    from face_expr_ros.perception.landmarks.mediapipe_tasks import MediapipeTasks

    return MediapipeTasks(config)


def _facemesh(config: LandmarksConfig) -> LandmarkDetector:
    from face_expr_ros.perception.landmarks.facemesh import FaceMeshNetwork
    from face_expr_ros.perception.landmarks.regions import RegionLandmarks

    return RegionLandmarks(FaceMeshNetwork(), config.presence)


def _facemesh_v2(config: LandmarksConfig) -> LandmarkDetector:
    from face_expr_ros.perception.landmarks.facemesh_v2 import FaceMeshV2Network
    from face_expr_ros.perception.landmarks.regions import RegionLandmarks

    return RegionLandmarks(FaceMeshV2Network(config.model_path), config.presence)


BACKENDS: dict[str, Callable[[LandmarksConfig], LandmarkDetector]] = {
    "facemesh": _facemesh,
    "facemesh_v2": _facemesh_v2,
    "mediapipe_solutions": _solutions,
    "mediapipe_tasks": _tasks,
}
