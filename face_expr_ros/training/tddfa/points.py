"""The vertices that supervise the network: the 68 iBUG points and a fixed, symmetric selection from the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.ibug import IBUG_MIRROR
from face_expr_ros.core.mirror import CoefficientMirror, coefficient_mirror

_SPACING = 0.009  # maximum spacing of the selected vertices, meters


@dataclass(frozen=True)
class LearnedPoints:
    """Model points that are compared in the loss.

    Attributes:
        vertices: (P,) vertex indices of the model, the 68 iBUG points first.
        mirror: (P,) index of each point's counterpart on the other side.
        mean: (P, 3) meters; basis: (I + E, P, 3) meters per coefficient.
        coefficients: those of a mirrored face.
    """

    vertices: NDArray[np.intp]
    mirror: NDArray[np.intp]
    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    coefficients: CoefficientMirror


def learned_points(model: MorphableModel) -> LearnedPoints:
    """Select the points of a symmetric face model."""
    vertices = _symmetric_selection(model)
    position = {int(vertex): index for index, vertex in reversed(list(enumerate(vertices)))}
    mirror = np.array([position[int(model.mirror[vertex])] for vertex in vertices])
    # Two iBUG points can share a vertex (corners of closed lips), where the mirrored vertex does not give the index.
    mirror[:68] = IBUG_MIRROR
    basis = model.bases[:, vertices]
    return LearnedPoints(vertices, mirror, model.mean[vertices], np.ascontiguousarray(basis), coefficient_mirror(model))


def _symmetric_selection(model: MorphableModel) -> NDArray[np.intp]:
    """The 68 points and vertices of the face's skin by farthest-point sampling down to the spacing."""
    skin = np.flatnonzero((model.vertex_part == 0) & (model.mean[:, 2] > -0.09) & (np.abs(model.mean[:, 1]) < 0.1))
    left = skin[model.mean[skin, 0] >= -1e-6]
    chosen = [int(v) for v in model.landmarks68]
    distance = np.full(len(left), np.inf)
    for vertex in chosen:
        distance = np.minimum(distance, np.linalg.norm(model.mean[left] - model.mean[vertex], axis=1))
    while distance.max() > _SPACING:
        vertex = int(left[distance.argmax()])
        chosen += dict.fromkeys([vertex, int(model.mirror[vertex])])
        distance = np.minimum(distance, np.linalg.norm(model.mean[left] - model.mean[vertex], axis=1))
    return np.array(chosen)
