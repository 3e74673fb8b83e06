"""MediaPipe's FaceMesh V2 on LiteRT: 478 landmarks with irises, without MediaPipe."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.models.bundle import package_file
from face_expr_ros.models.litert_model import LitertModel
from face_expr_ros.perception.landmarks import LANDMARK_COUNT


class FaceMeshNetwork:
    """The landmark network of MediaPipe's face_landmarker.task.

    Raises:
        BundleError: its file is missing or damaged.
    """

    side = 256

    def __init__(self) -> None:
        self._network = LitertModel(package_file("facemesh", "landmarks"))

    def __call__(self, region: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """The landmarks and the presence of a face in a region, see `regions.RegionNetwork`."""
        points, presence, _ = self._network(region[None])
        return points.reshape(LANDMARK_COUNT, 3) / np.float32(self.side), _sigmoid(presence.item())

    def close(self) -> None:
        """Free the network."""


def _sigmoid(logit: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
