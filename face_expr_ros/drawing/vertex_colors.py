"""Vertex colors of a face model: colors of its parts, lit colors, and colors sampled from the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import project, to_camera
from face_expr_ros.core.types import FloatArray, Frame, Pose

Colors = NDArray[np.float32]  # (V, 3) red, green, blue in 0..1

# RViz does not light vertex colors, so light is included: a lamp above the camera, optical frame.
LAMP = np.array([0.2, -0.5, -0.85]) / np.linalg.norm([0.2, -0.5, -0.85])
AMBIENT = 0.35
SKIN = (0.87, 0.67, 0.56)
PART_COLORS = {
    "left_eyeball": (0.95, 0.95, 0.93),
    "right_eyeball": (0.95, 0.95, 0.93),
    "upper_teeth": (0.93, 0.91, 0.84),
    "lower_teeth": (0.93, 0.91, 0.84),
    "tongue": (0.75, 0.36, 0.36),
    "inner_mouth": (0.45, 0.16, 0.16),
}
IRIS, IRIS_ANGLE = (0.28, 0.42, 0.5), 0.5  # radians from the eyeball's forward axis
PUPIL, PUPIL_ANGLE = (0.05, 0.05, 0.05), 0.22
_FULL_COSINE, _MIN_COSINE = 0.35, 0.1  # cosines to the viewing ray for full and for zero weight of the image


def vertex_colors(model: MorphableModel) -> Colors:
    """The color of each vertex's part, with irises and pupils; the skin color if the model has no parts."""
    if not model.part_names:
        return np.full(model.mean.shape, SKIN, dtype=np.float32)
    palette = np.array([PART_COLORS.get(name, SKIN) for name in model.part_names], dtype=np.float32)
    colors = palette[model.vertex_part]
    for side in ("left", "right"):
        if f"{side}_eyeball" in model.part_names:
            ball = model.part_vertices(f"{side}_eyeball")
            forward = model.mean[ball] - model.eye_center(model.mean, side)
            angle = np.arccos(np.clip(forward[:, 2] / np.linalg.norm(forward, axis=1), -1, 1))
            colors[ball[angle < IRIS_ANGLE]] = IRIS
            colors[ball[angle < PUPIL_ANGLE]] = PUPIL
    return colors


def lit(colors: Colors, normals: FloatArray, pose: Pose) -> Colors:
    """Colors lit by the lamp, for normals (V, 3) in model axes."""
    cosine = normals @ (pose.rotation.T @ LAMP).astype(np.float32)
    light: NDArray[np.float32] = AMBIENT + (1 - AMBIENT) * np.clip(cosine, 0, 1)
    return colors * light[:, None]


def colors_from_image(colors: Colors, vertices: FloatArray, normals: FloatArray, pose: Pose, frame: Frame) -> Colors:
    """The image's color of each vertex that faces the camera, blended into ``colors`` elsewhere.

    Occlusion by other parts of the face is not tested; at most angles it concerns only the far side of the nose.

    Args:
        vertices, normals: (V, 3) in model axes.
    """
    points = to_camera(vertices, pose)
    rays = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosine = -np.einsum("vk,vk->v", normals @ pose.rotation.T, rays)
    height, width = frame.image.shape[:2]
    column, row = np.rint(np.clip(project(points, frame.camera), -1, 1e6)).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (points[:, 2] > 0)
    weight = np.clip((cosine - _MIN_COSINE) / (_FULL_COSINE - _MIN_COSINE), 0, 1) * inside
    sampled = frame.image[row * inside, column * inside, ::-1].astype(np.float32) / 255
    return colors + (sampled - colors) * weight[:, None].astype(np.float32)
