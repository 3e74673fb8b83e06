"""The vertices that supervise the network: the 68 iBUG points and a fixed, symmetric selection from the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel

_SPACING = 0.009  # maximum spacing of the selected vertices, meters


@dataclass(frozen=True)
class LearnedPoints:
    """Model points that are compared in the loss.

    Attributes:
        vertices: (P,) vertex indices of the model, the 68 iBUG points first.
        mirror: (P,) index of each point's counterpart on the other side.
        mean: (P, 3) meters; basis: (I + E, P, 3) meters per coefficient.
        coefficient_sign, coefficient_mirror: (I + E,) the coefficients of a mirrored face are
            sign * coefficients[mirror].
    """

    vertices: NDArray[np.intp]
    mirror: NDArray[np.intp]
    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    coefficient_sign: NDArray[np.float32]
    coefficient_mirror: NDArray[np.intp]


def learned_points(model: MorphableModel) -> LearnedPoints:
    """Select the points of a symmetric face model."""
    vertices = _symmetric_selection(model)
    position = {int(vertex): index for index, vertex in reversed(list(enumerate(vertices)))}
    mirror = np.array([position[int(model.mirror[vertex])] for vertex in vertices])
    # Two iBUG points can share a vertex (corners of closed lips), where the mirrored vertex does not give the index.
    mirror[:68] = _IBUG_MIRROR
    basis = np.concatenate([model.identity, model.expression])[:, vertices]
    return LearnedPoints(
        vertices, mirror, model.mean[vertices], np.ascontiguousarray(basis), *_coefficient_mirror(model)
    )


_IBUG_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37,
     36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip


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


def _coefficient_mirror(model: MorphableModel) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Sign and permutation: each identity component is symmetric or antisymmetric, blendshapes swap sides."""
    mirrored = model.identity[:, model.mirror] * np.array([-1, 1, 1], np.float32)
    sign = np.sign(np.einsum("nvc,nvc->n", mirrored, model.identity))
    names = model.expression_names
    swapped = [names.index(_other_side(name)) for name in names]
    count = len(sign)
    return (
        np.concatenate([sign, np.ones(len(names))]).astype(np.float32),
        np.concatenate([np.arange(count), count + np.array(swapped)]),
    )


def _other_side(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name
