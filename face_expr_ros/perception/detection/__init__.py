"""Who finds faces that are not followed yet. A backend is a file here; `open_detector` knows them by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import DetectionConfig
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Detection, Roi


class FaceDetector(Protocol):
    """A stage that at most remembers where it looked in vain."""

    def __call__(
        self, image: NDArray[np.uint8], thorough: bool = False, followed: Sequence[Roi] = ()
    ) -> list[Detection]:
        """The faces in a (height, width, 3) BGR image of any size, the best first; none is a good answer.

        ``thorough`` takes the time that a picture has and a camera's image has not, and finds smaller faces. Those at
        the boxes ``followed`` may be left out.
        """

    def closer(self, image: NDArray[np.uint8], roi: Roi) -> Detection | None:
        """The face in a box of the image, for less work than the whole image takes; None where there is none."""

    def reset(self) -> None:
        """Forget: the next image has nothing to do with the last."""

    def close(self) -> None:
        """Free the network."""


def open_detector(config: DetectionConfig, faceboxes: Path | None = None) -> FaceDetector:
    """The detector that ``config.backend`` names.

    Args:
        config: backend and least score.
        faceboxes: the bundle's FaceBoxes network, where it has one.

    Raises:
        ConfigError: FaceBoxes is asked for and the bundle does not have it.
        BundleError: the network cannot be read.
    """
    if config.backend == "faceboxes":
        from face_expr_ros.perception.detection.faceboxes import FaceBoxes

        if faceboxes is None:
            raise ConfigError(
                "detection.backend faceboxes needs a bundle with that network, such as 3ddfa_v2, and this bundle has "
                "none; choose mediapipe, or the other bundle"
            )
        return FaceBoxes(faceboxes, config.confidence)
    from face_expr_ros.perception.detection.mediapipe import MediapipeDetector

    return MediapipeDetector(config.backend, config.confidence)
