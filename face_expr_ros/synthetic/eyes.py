"""Finely tessellated eyeballs that replace the model's coarse ones, so that iris and highlights are round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel

Float32 = NDArray[np.float32]

RINGS, SPOKES = 14, 24
FIELD = 1.75  # radians from the optical axis to the edge of the patch and of its texture
_CORNEA = 0.56  # radians from the optical axis to the edge of the cornea
_CORNEA_TILT = 0.8  # additional spread of the cornea's normals relative to those of the sphere


@dataclass(frozen=True)
class EyePatch:
    """The front of one eyeball as a fine mesh that moves with the model's own eyeball.

    Attributes:
        source: (n,) vertex indices of the model's eyeball.
        weights: (g, n) weights that give the patch's vertices from the model's.
        center: (n,) weights that give the eyeball's center.
        cornea: (g, 1) weight of each vertex in the cornea, 0..1.
        triangles: (t, 3) indices into the patch.
        uv: (g, 2) texture coordinates in 0..1: the eye seen from the front, radius proportional to the angle.
    """

    source: NDArray[np.intp]
    weights: Float32
    center: Float32
    cornea: Float32
    triangles: NDArray[np.int32]
    uv: Float32

    def vertices(self, model_vertices: NDArray) -> Float32:
        """The patch's vertices (g, 3) for the model's vertices (V, 3)."""
        moved: Float32 = self.weights @ model_vertices[self.source]
        return moved

    def normals(self, model_vertices: NDArray, patch: NDArray) -> Float32:
        """Outward normals (g, 3) of a patch; those of the cornea are spread, which places highlights on the iris."""
        center = self.center @ model_vertices[self.source]
        outward = patch - center
        outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
        axis = outward[0]
        bulged = outward + _CORNEA_TILT * self.cornea * (outward - axis)
        return (bulged / np.linalg.norm(bulged, axis=1, keepdims=True)).astype(np.float32)


def eye_patch(model: MorphableModel, side: str) -> EyePatch:
    """The fine mesh of one eyeball, "left" or "right"."""
    source = model.part_vertices(f"{side}_eyeball")
    ball = model.mean[source].astype(np.float64)
    center = (ball.min(axis=0) + ball.max(axis=0)) / 2
    radius = np.linalg.norm(ball - center, axis=1).mean()
    angle, directions, triangles = _dome()
    uv = np.column_stack([directions[:, 0], -directions[:, 1]])
    uv = 0.5 + 0.5 * uv / np.maximum(np.sin(angle), 1e-6)[:, None] * (angle / FIELD)[:, None]
    # The eyeball moves affinely, so each point is an affine combination of its vertices; take the least-norm one.
    system = np.column_stack([ball - center, np.ones(len(ball))])
    points = np.column_stack([directions * radius, np.ones(len(directions))])
    cornea = np.clip((_CORNEA - angle) / 0.12, 0.0, 1.0)[:, None]
    weights = (np.vstack([points, [0.0, 0.0, 0.0, 1.0]]) @ np.linalg.pinv(system)).astype(np.float32)
    return EyePatch(source, weights[:-1], weights[-1], cornea.astype(np.float32), triangles, uv.astype(np.float32))


def _dome() -> tuple[NDArray, NDArray, NDArray[np.int32]]:
    """Angles (g,) from +z, directions (g, 3) and outward triangles of a dome of rings around +z."""
    ring, spoke = np.mgrid[1 : RINGS + 1, 0:SPOKES]
    angle = np.concatenate([[0.0], (ring * FIELD / RINGS).ravel()])
    azimuth = np.concatenate([[0.0], (spoke * 2 * np.pi / SPOKES).ravel()])
    directions = np.column_stack([np.sin(angle) * np.cos(azimuth), np.sin(angle) * np.sin(azimuth), np.cos(angle)])
    index = np.arange(RINGS * SPOKES).reshape(RINGS, SPOKES) + 1
    following = np.roll(index, -1, axis=1)
    cap = np.column_stack([np.zeros(SPOKES, int), index[0], following[0]])
    inner, outer = index[:-1].ravel(), index[1:].ravel()
    inner_next, outer_next = following[:-1].ravel(), following[1:].ravel()
    bands = np.vstack([np.column_stack([inner, outer, outer_next]), np.column_stack([inner, outer_next, inner_next])])
    return angle, directions, np.vstack([cap, bands]).astype(np.int32)
