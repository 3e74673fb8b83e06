"""The fitted face model as a see-through, shaded mesh over an image."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.geometry import project, to_camera
from face_expr_ros.kernels import rasterizer
from face_expr_ros.rendering.lighting import Light, light_maps
from face_expr_ros.rendering.model_key import ModelKey
from face_expr_ros.rendering.projection import bounding_box, corner_operator, facing_normals, vertex_normals
from face_expr_ros.values import Camera, FaceFit

_OPACITY = 0.55
_COLOR = np.array([0.55, 0.42, 0.24], np.float32)  # linear blue, green, red
_FACE_DEPTH, _FACE_LOW = -0.085, -0.12  # meters: what lies farther back or lower is not drawn
_NEAREST = 0.05


def draw_mesh(
    image: NDArray[np.uint8], fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, opacity: float = _OPACITY
) -> None:
    """Lays the fitted faces over an image (height, width, 3), in place; nearer faces hide farther ones.

    Only the front of the face is drawn, through the camera's lens with its distortion.
    """
    mesh, corners = _face_mesh(ModelKey(model))
    placed = [_place(fit, model, camera) for fit in fits]
    placed = [(points, pixels) for points, pixels in placed if (points[:, 2] > _NEAREST).all()]
    box = bounding_box([pixels[np.unique(mesh.triangles)] for _, pixels in placed], image.shape[1], image.shape[0])
    if box is None:
        return
    left, top, right, bottom = box
    target = rasterizer.Target(right - left, bottom - top, samples=1)
    offset = np.array([left, top, 0], np.float32)
    count = len(mesh.triangles)
    for number, (_, pixels) in enumerate(placed):
        rasterizer.draw(target, pixels - offset, mesh.triangles, first=number * count)
    for number, (points, pixels) in enumerate(placed):
        normals = facing_normals(vertex_normals(points, mesh.triangles, corners), points)
        look = rasterizer.Look(normals, np.broadcast_to(_COLOR, points.shape), _WHITE, _maps())
        rasterizer.shade(target, pixels - offset, mesh, look, first=number * count)
    target.canvas *= opacity
    rasterizer.composite(target, image[top:bottom, left:right])


_WHITE = np.array([[[255, 255, 255, 160]]], np.uint8)


@functools.lru_cache(maxsize=2)
def _face_mesh(key: ModelKey) -> tuple[rasterizer.Mesh, csr_matrix]:
    model = key.model
    skin = model.triangle_part == model.part_names.index("skin")
    center = model.mean[model.triangles].mean(axis=1)
    triangles = model.triangles[skin & (center[:, 2] > _FACE_DEPTH) & (center[:, 1] > _FACE_LOW)]
    count, vertices = len(triangles), len(model.mean)
    mesh = rasterizer.Mesh(
        triangles, np.zeros((1, 2), np.float32), np.zeros((count, 3), np.int32), np.zeros(count, np.uint8), vertices
    )
    return mesh, corner_operator(mesh.triangles, vertices)


@functools.lru_cache(maxsize=1)
def _maps() -> NDArray[np.float32]:
    return light_maps(Light())[:1]


def _place(fit: FaceFit, model: MorphableModel, camera: Camera) -> tuple[NDArray, NDArray[np.float32]]:
    points = to_camera(model.vertices(fit.shape, fit.expression), fit.pose)
    return points, np.column_stack([project(points, camera), points[:, 2]]).astype(np.float32)
