"""Face detection. `BACKENDS` lists the detectors by the value of ``detection.backend``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import DetectionConfig
from face_expr_ros.core.settings import ConfigError, backend
from face_expr_ros.core.types import Detection, Roi
from face_expr_ros.models.bundle import package_file
from face_expr_ros.perception.mediapipe_version import require_mediapipe


class FaceDetector(Protocol):
    """A face detector. Its only state is which candidates it has rejected."""

    def __call__(
        self, image: NDArray[np.uint8], thorough: bool = False, tracked: Sequence[Roi] = ()
    ) -> list[Detection]:
        """The faces in an image, best first; may be empty.

        Args:
            image: (height, width, 3) BGR of any size.
            thorough: search longer and for smaller faces, for a single image.
            tracked: boxes of faces that are tracked already; a detector may omit those.
        """

    def closer(self, image: NDArray[np.uint8], roi: Roi) -> Detection | None:
        """The face in a box of the image, searched at a higher resolution; None if there is none."""

    def reset(self) -> None:
        """Delete the state: the next image is unrelated to the previous ones."""

    def state_dict(self) -> dict[str, Any]:
        """The state between two images."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""

    def close(self) -> None:
        """Free the network."""


def open_detector(config: DetectionConfig, faceboxes: Path | None = None) -> FaceDetector:
    """The detector that ``config.backend`` names.

    Args:
        config: backend and minimum score.
        faceboxes: the bundle's FaceBoxes network, if it has one.

    Raises:
        ConfigError: the backend is unknown, or it is FaceBoxes and the bundle does not have it.
        BundleError: the network cannot be read.
    """
    return backend(BACKENDS, "detection.backend", config.backend)(config, faceboxes)


def _mediapipe(config: DetectionConfig, faceboxes: Path | None) -> FaceDetector:
    require_mediapipe("detection.backend", config.backend, "blazeface")
    from face_expr_ros.perception.detection import mediapipe
    from face_expr_ros.perception.detection.two_range import BlazeFaceDetector

    short, full = (mediapipe.MediapipeBlazeFace(name) for name in (mediapipe.SHORT_RANGE, mediapipe.FULL_RANGE))
    return BlazeFaceDetector(short, full, _ranges(config.backend), config.confidence)


def _blazeface(config: DetectionConfig, faceboxes: Path | None) -> FaceDetector:
    from face_expr_ros.perception.detection.blazeface import BlazeFace
    from face_expr_ros.perception.detection.two_range import BlazeFaceDetector

    short, full = (BlazeFace(package_file("facemesh", name)) for name in ("short_range", "full_range"))
    return BlazeFaceDetector(short, full, _ranges(config.backend), config.confidence)


def _ranges(backend: str) -> str:
    """Which BlazeFace networks search the image, by the end of the backend's name."""
    ending = backend.rpartition("_")[2]
    return ending if ending in ("short", "full") else "both"


def _faceboxes(config: DetectionConfig, faceboxes: Path | None) -> FaceDetector:
    from face_expr_ros.perception.detection.faceboxes import FaceBoxes

    if faceboxes is None:
        raise ConfigError(
            "detection.backend faceboxes: expected a bundle with that network, such as 3ddfa_v2, got one without it; "
            "choose mediapipe or another bundle"
        )
    return FaceBoxes(faceboxes, config.confidence)


BACKENDS: dict[str, Callable[[DetectionConfig, Path | None], FaceDetector]] = {
    "blazeface": _blazeface,
    "blazeface_short": _blazeface,
    "blazeface_full": _blazeface,
    "mediapipe": _mediapipe,
    "mediapipe_short": _mediapipe,
    "mediapipe_full": _mediapipe,
    "faceboxes": _faceboxes,
}
