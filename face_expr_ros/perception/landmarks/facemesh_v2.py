"""MediaPipe's FaceMesh V2 on LiteRT: the landmarks of FaceLandmarker, without MediaPipe."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.models.litert_model import LitertModel
from face_expr_ros.perception.landmarks import LANDMARK_COUNT
from face_expr_ros.perception.landmarks.facemesh import sigmoid
from face_expr_ros.perception.landmarks.regions import RegionWriter

_NETWORK = "face_landmarks_detector.tflite"


class FaceMeshV2Network:
    """The landmark network of a face_landmarker.task, which is a zip file.

    Raises:
        ConfigError: there is no such file, or it does not contain the network.
    """

    side = 256

    def __init__(self, task: str) -> None:
        expected = "landmarks.model_path: expected the path of MediaPipe's face_landmarker.task for backend facemesh_v2"
        try:
            with zipfile.ZipFile(task) as files, tempfile.TemporaryDirectory() as folder:
                self._network = LitertModel(Path(files.extract(_NETWORK, folder)))
        except (OSError, KeyError, zipfile.BadZipFile, BundleError) as error:
            raise ConfigError(f"{expected}, got {task!r}: {error}") from error

    def __call__(self, write: RegionWriter) -> tuple[NDArray[np.float32], float, None]:
        """Landmarks and presence of a face in a region, see `regions.RegionNetwork`; no appearance."""
        write(self._network.inputs[0][0])
        self._network.run()
        points, logit = self._network.outputs[:2]
        return points.reshape(LANDMARK_COUNT, 3) / np.float32(self.side), sigmoid(logit.item()), None

    def close(self) -> None:
        """Free the network."""
