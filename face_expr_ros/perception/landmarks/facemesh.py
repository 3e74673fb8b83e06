"""MediaPipe's FaceMesh with attention on LiteRT: 478 landmarks with irises, without MediaPipe.

Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", 2020. A first network gives the
mesh and a feature map of the whole face. The parts of the feature map around lips and eyes, rotated upright, go through
a second network, which places their landmarks and the irises more accurately.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import read_arrays
from face_expr_ros.core.facemesh_regions import IRISES
from face_expr_ros.kernels.face_parts import FaceParts
from face_expr_ros.models.bundle import package_file
from face_expr_ros.models.litert_model import LitertModel
from face_expr_ros.perception.landmarks import LANDMARK_COUNT
from face_expr_ros.perception.landmarks.regions import RegionWriter

_MESH = 468  # landmarks of the first network; then come the irises
_SIDE = 192  # of the input and of the coordinates of the mesh, pixels
_CELL = 4  # pixels of the input in a cell of the feature map
_PART = 16  # cells of a part, a side
_PART_PIXELS = 64.0  # side of a part in the coordinates of the second network
_MARGIN = 1.5  # of a part's landmarks' box
_LIDS = 16  # the first landmarks of an eye; they give its iris the depth


# Appearance features: of the whole face, then of lips, right and left eye from two layers each.
_FACE, _COARSE, _FINE = 3 * 3 * 128, 2 * 2 * 128, 4 * 4 * 128
COARSE_APPEARANCE = _FACE + 3 * _COARSE  # the first ones
APPEARANCE = COARSE_APPEARANCE + 3 * _FINE
_ANSWERS = 5  # outputs of the second network before its appearance features


def appearance_of_eye(side: int) -> NDArray[np.int64]:
    """Indices of the appearance features of the right (0) or left (1) eye."""
    coarse = _FACE + (1 + side) * _COARSE
    fine = _FACE + 3 * _COARSE + (1 + side) * _FINE
    return np.concatenate([np.arange(coarse, coarse + _COARSE), np.arange(fine, fine + _FINE)])


class FaceMeshNetwork:
    """FaceMesh as the two networks of weights/facemesh.

    Raises:
        BundleError: a file is missing or damaged.
    """

    side = _SIDE

    def __init__(self) -> None:
        self._mesh = LitertModel(package_file("facemesh", "mesh"))
        self._parts = LitertModel(package_file("facemesh", "parts"))
        path = package_file("facemesh", "points")
        arrays = read_arrays(path.read_bytes(), path)
        names = ("lips", "right_eye", "left_eye")
        parts = [arrays[name] for name in names]
        irises = [(part, np.array(iris)) for part, iris in zip((1, 2), IRISES, strict=True)]
        self._face_parts = FaceParts(parts, arrays["corners"], _MARGIN, _PART, _CELL, irises, _LIDS)
        mesh, self._logit, features, hidden = self._mesh.outputs
        self._region, self._mesh_points, self._features = self._mesh.inputs[0][0], mesh.reshape(_MESH, 3), features[0]
        self._part_features = [values[0] for values in self._parts.inputs]
        self._answers = [values.ravel() for values in self._parts.outputs[:_ANSWERS]]
        self._layers = [values.ravel() for values in (hidden, *self._parts.outputs[_ANSWERS:])]

    def __call__(self, write: RegionWriter) -> tuple[NDArray[np.float32], float, NDArray[np.float32]]:
        """Landmarks, presence and appearance of a face in a region, see `regions.RegionNetwork`."""
        write(self._region)
        self._mesh.run()
        points = np.empty((LANDMARK_COUNT, 3), np.float32)
        points[:_MESH] = self._mesh_points
        axes = self._face_parts.cut(points, self._features, self._part_features)
        self._parts.run()
        self._face_parts.place(self._answers, axes, _PART_PIXELS, points)
        points /= _SIDE
        return points, sigmoid(self._logit.item()), np.concatenate(self._layers)

    def close(self) -> None:
        """Free the networks."""


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
