"""The fitted face model as a transparent, shaded mesh over an image."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, FaceFit
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.lighting import Light, light_maps
from face_expr_ros.kernels import rasterizer

_OPACITY = 0.55
_COLOR = np.array([0.55, 0.42, 0.24], np.float32)  # linear blue, green, red
_WHITE = np.array([[[255, 255, 255, 160]]], np.uint8)


def draw_mesh(
    image: NDArray[np.uint8], fits: Sequence[FaceFit], model: MorphableModel, camera: Camera, opacity: float = _OPACITY
) -> None:
    """Draw the fitted faces over an image (height, width, 3), in place; nearer faces occlude farther ones.

    Only the front of the skin is drawn, in the projection that the fit was computed with.
    """
    skin = surface.skin(model)
    height, width = image.shape[:2]
    projected = surface.project_faces(fits, model, camera, height)
    tint = np.broadcast_to(_COLOR, model.mean.shape)
    shadings = [rasterizer.Shading(face.normals(skin), tint, _WHITE, _maps()) for face in projected]
    for tile in surface.tiles(projected, skin, width, height):
        canvas = surface.shade(tile, projected, skin, shadings)
        canvas *= opacity
        rasterizer.composite(tile.target, image[tile.window])


@functools.lru_cache(maxsize=1)
def _maps() -> NDArray[np.float32]:
    return light_maps(Light())[:1]
