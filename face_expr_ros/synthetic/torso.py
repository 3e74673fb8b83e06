"""Shoulders below the model's open border at the neck, and a neck that bends with the pose of the head."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.geometry import FACING_CAMERA
from face_expr_ros.core.types import Pose

Float32 = NDArray[np.float32]

_RINGS = 13
_NECK = np.array([0.0, -0.115, -0.095])  # joint between head and torso, model axes, meters
_TORSO_ROTATION_SHARE = 0.25  # fraction of the head's rotation that is applied to the torso


@dataclass(frozen=True)
class Torso:
    """Rings of vertices that continue the model's open border.

    Attributes:
        border: (n,) vertex indices of the model along the border, in order.
        spread: (rings, n, 3) offsets of each ring from the border, meters.
        triangles: (t, 3) indices into border followed by the rings' vertices.
        uv: (n + rings * n, 2) in 0..1.
    """

    border: NDArray[np.intp]
    spread: Float32
    triangles: NDArray[np.int32]
    uv: Float32

    def vertices(self, model_vertices: NDArray) -> Float32:
        """The rings (rings * n, 3) below the model's vertices (V, 3)."""
        rings: Float32 = (model_vertices[self.border] + self.spread).reshape(-1, 3).astype(np.float32)
        return rings


def torso(mean: NDArray, skin_triangles: NDArray) -> Torso:
    """The torso for a mean head (V, 3) whose skin has an open border at the collar."""
    border = _border(skin_triangles)
    ring = mean[border].astype(np.float64)
    center = ring.mean(axis=0)
    away = ring - center
    share = (np.arange(1, _RINGS + 1) / _RINGS)[:, None]
    # The upper rings extend out to the shoulders, the lower ones down.
    out = np.sin(np.minimum(share / 0.6, 1.0) * np.pi / 2)
    down = np.broadcast_to(0.02 * share + 0.42 * share**2 + 0.56 * share**5, (_RINGS, len(ring)))
    spread = np.stack([out * away[:, 0] * 0.85, -down, out * away[:, 2] * 0.35], axis=-1)
    # The border is not horizontal; the lower rings are.
    spread[..., 1] -= share * away[:, 1]
    count = len(border)
    index = np.arange((_RINGS + 1) * count).reshape(_RINGS + 1, count)
    upper, lower = index[:-1].ravel(), index[1:].ravel()
    upper_next, lower_next = np.roll(index[:-1], -1, axis=1).ravel(), np.roll(index[1:], -1, axis=1).ravel()
    triangles = np.vstack(
        [np.column_stack([upper, upper_next, lower_next]), np.column_stack([upper, lower_next, lower])]
    ).astype(np.int32)
    around = np.abs(np.linspace(-1, 1, count))
    depth = np.linspace(0.05, 0.95, _RINGS + 1)
    uv = np.stack(np.broadcast_arrays(0.05 + 0.9 * around, depth[:, None]), axis=-1).reshape(-1, 2)
    return Torso(border, spread.astype(np.float32), triangles, uv.astype(np.float32))


def _border(triangles: NDArray) -> NDArray[np.intp]:
    """Vertices of the longest open border, against the orientation of its triangles."""
    edges = {(int(a), int(b)) for t in triangles for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    following = defaultdict(list)
    for a, b in edges:
        if (b, a) not in edges:
            following[b].append(a)
    loops = []
    left = set(following)
    while left:
        start = current = min(left)
        loop = []
        while current in left:
            left.discard(current)
            loop.append(current)
            current = next((n for n in following[current] if n in left), start)
        loops.append(loop)
    return np.array(max(loops, key=len))


def torso_share(points: NDArray) -> Float32:
    """Weights (n,) from head (0) to torso (1) of points (n, 3) of the mean head."""
    front = np.maximum(points[:, 2] + 0.055, 0.0)
    share = np.clip((-0.098 - points[:, 1] - 1.6 * front) / 0.085, 0.0, 1.0)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def bend_neck(points: NDArray, share: NDArray, pose: Pose) -> Float32:
    """Points (n, 3) in model axes, transformed to the camera frame with the torso kept more upright than the head.

    Points whose torso share (n,) is 0 are transformed by exactly the pose.
    """
    head_rotation, _ = cv2.Rodrigues(FACING_CAMERA @ pose.rotation)
    upright = FACING_CAMERA @ cv2.Rodrigues(_TORSO_ROTATION_SHARE * head_rotation)[0]
    bent = (points @ pose.rotation.T + pose.position).astype(np.float32)
    below = np.flatnonzero(share)
    neck = pose.rotation @ _NECK + pose.position - upright @ _NECK
    torso_points = points[below] @ upright.T.astype(np.float32) + neck.astype(np.float32)
    bent[below] += share[below, None] * (torso_points - bent[below])
    return bent
