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
from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.feature_maps import sample_features
from face_expr_ros.models.bundle import package_file
from face_expr_ros.models.litert_model import LitertModel
from face_expr_ros.perception.landmarks import LANDMARK_COUNT

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
        self._part_points = [arrays[name] for name in ("lips", "right_eye", "left_eye")]
        self._corners = arrays["corners"].tolist()

    def __call__(self, region: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, NDArray[np.float32]]:
        """Landmarks, presence and appearance of a face in a region, see `regions.RegionNetwork`."""
        mesh, presence, features, face = self._mesh(region[None])
        points = np.empty((LANDMARK_COUNT, 3), np.float32)
        points[:_MESH] = mesh.reshape(_MESH, 3)
        axes = [part_axes(points, *part) for part in zip(self._part_points, self._corners, strict=True)]
        inputs = sample_features(features[0], np.array([_cells(part) for part in axes]), _PART)
        answers = self._parts(*inputs[:, None])
        lips, right_eye, left_eye, right_iris, left_iris = answers[:_ANSWERS]
        for place, part, answer in zip(self._part_points, axes, (lips, right_eye, left_eye), strict=True):
            points[place, :2] = _placed(answer, part)
        for first, part, answer, eye in (
            (_MESH, axes[1], right_iris, self._part_points[1]),
            (_MESH + 5, axes[2], left_iris, self._part_points[2]),
        ):
            points[first : first + 5, :2] = _placed(answer, part)
            points[first : first + 5, 2] = points[eye[:_LIDS], 2].mean()
        points /= _SIDE
        appearance = np.concatenate([each.ravel() for each in (face, *answers[_ANSWERS:])])
        return points, sigmoid(presence.item()), appearance

    def close(self) -> None:
        """Free the networks."""


def part_axes(points: FloatArray, part: NDArray[np.int64], corners: tuple[int, int]) -> FloatArray:
    """(2, 3) from a part of the face, with corners (0, 0) and (1, 1), to the input of the first network, pixels.

    Args:
        points: (478, 3) the mesh.
        part: indices of the part's landmarks.
        corners: the two landmarks between which its x axis points.
    """
    (x0, y0), (x1, y1) = points[corners, :2].tolist()
    length = math.hypot(x1 - x0, y1 - y0)
    right, down = ((x1 - x0) / length, (y1 - y0) / length) if length else (1.0, 0.0)
    x, y = points[part, 0], points[part, 1]
    across, along = right * x + down * y, right * y - down * x
    left, top, far, low = float(across.min()), float(along.min()), float(across.max()), float(along.max())
    width, height = _MARGIN * (far - left), _MARGIN * (low - top)
    start_x, start_y = (left + far - width) / 2, (top + low - height) / 2
    return np.array([
        [right * width, -down * height, right * start_x - down * start_y],
        [down * width, right * height, down * start_x + right * start_y],
    ])  # fmt: skip


def _cells(axes: FloatArray) -> FloatArray:
    """(2, 3) from the cells of a part to the cells of the feature map, both counted from the center of the first."""
    scaled = axes / [_PART * _CELL, _PART * _CELL, _CELL]
    scaled[:, 2] += scaled[:, 0] / 2 + scaled[:, 1] / 2 - 0.5
    return scaled


def _placed(answer: NDArray[np.float32], axes: FloatArray) -> FloatArray:
    """(n, 2) points of the second network in the input of the first, pixels."""
    result: FloatArray = answer.reshape(-1, 2) @ (axes[:, :2].T / _PART_PIXELS) + axes[:, 2]
    return result


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) without overflow."""
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
