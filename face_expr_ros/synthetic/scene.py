"""Renders heads with full perspective, studio light and a common z-buffer for several faces."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Pose
from face_expr_ros.drawing.lighting import Light, light_maps
from face_expr_ros.drawing.projection import bounding_box, facing_normals, to_pixels
from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic import torso
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import studio_wall
from face_expr_ros.synthetic.head import HeadGeometry, head_geometry
from face_expr_ros.synthetic.painting import Paint, paint_head
from face_expr_ros.synthetic.wardrobe import build_worn_items
from face_expr_ros.synthetic.worn import WornItems

Image = NDArray[np.uint8]

# Lashes start inside the lids; they are visible up to this fraction of the depth behind the surface.
_LASH_BIAS = 0.0015
_FINE_HAIR = 900.0  # pixels per meter from which on worn items use the full-resolution texture


_THREAD_STATE = threading.local()  # its target: the buffers of a thread's last image are reused for the next one


@functools.lru_cache(maxsize=8)
def _light_maps(light: Light) -> NDArray[np.float32]:
    return light_maps(light)


class FaceRenderer:
    """Renders one person.

    Args:
        model: a face model with the mesh parts of the open model.
        appearance: appearance of the person; None uses the defaults.
        texture_width: width of the skin's texture, pixels; the cost of the constructor grows with its square.
    """

    def __init__(
        self, model: MorphableModel, appearance: Appearance | None = None, *, texture_width: int = 768
    ) -> None:
        self.model = model
        self.appearance = appearance or Appearance()
        self.texture_width = texture_width
        self.geometry: HeadGeometry = head_geometry(model, texture_width)
        self._paint: Paint = paint_head(self.geometry, self.appearance)
        self._worn: WornItems | None = build_worn_items(model, self.appearance)

    def render(
        self,
        vertices: NDArray | tuple[NDArray, NDArray],
        pose: Pose,
        camera: Camera,
        light: Light | None = None,
        background: Image | None = None,
        samples: int = 2,
    ) -> Image:
        """Render this person alone; see `render_scene`.

        Args:
            vertices: (V, 3) vertices of the model in model axes, meters, or (shape, expression) coefficients.
        """
        if isinstance(vertices, tuple):
            vertices = self.model.vertices(*vertices)
        return render_scene([SceneFace(self, vertices, pose)], camera, light, background, samples)


@dataclass(frozen=True)
class SceneFace:
    """One person in a scene: the renderer, vertices (V, 3) in model axes, and the pose."""

    renderer: FaceRenderer
    vertices: NDArray
    pose: Pose


@dataclass(frozen=True, eq=False)
class _Layer:
    """One mesh of one person: vertices in pixels, and the opaque and transparent mesh over them.

    The shading inputs are computed only if the layer is inside the image.
    """

    pixels: NDArray[np.float32]
    solid: rasterizer.Mesh
    transparent: rasterizer.Mesh
    bias: float
    shading: Callable[[NDArray[np.float32]], rasterizer.Shading]


def render_scene(
    faces: Sequence[SceneFace],
    camera: Camera,
    light: Light | None = None,
    background: Image | None = None,
    samples: int = 2,
) -> Image:
    """Render people into one image.

    Args:
        faces: the people; nearer ones occlude farther ones.
        camera: a pinhole camera without distortion.
        light: lamps and ambient light; None is the default studio.
        background: (height, width, 3) uint8 BGR of the camera's size, not modified; None is a studio wall.
        samples: antialiasing, samples x samples per pixel.
    Returns:
        (height, width, 3) uint8 BGR. Projection agrees with cv2.projectPoints.
    Raises:
        ValueError: the camera has distortion, or the background has another size.
    """
    return render_scene_with_coverage(faces, camera, light, background, samples)[0]


def render_scene_with_coverage(
    faces: Sequence[SceneFace],
    camera: Camera,
    light: Light | None = None,
    background: Image | None = None,
    samples: int = 2,
) -> tuple[Image, Image]:
    """The image of `render_scene`, and the coverage of each pixel by people.

    Returns:
        The image, and the coverage (height, width) uint8: 0 is background only, 255 is people only.
    Raises:
        ValueError: as `render_scene`.
    """
    if np.any(camera.distortion):
        raise ValueError(f"expected a pinhole camera without distortion, got distortion {camera.distortion}")
    image = _background(background, camera)
    coverage = np.zeros((camera.height, camera.width), np.uint8)
    maps = _light_maps(light or Light())
    layers = [layer for face in faces for layer in _layers(face, camera, maps)]
    box = bounding_box([layer.pixels for layer in layers], camera.width, camera.height)
    if box is None:
        return image, coverage
    left, top, right, bottom = box
    target = rasterizer.Target(right - left, bottom - top, samples, reuse=getattr(_THREAD_STATE, "target", None))
    _THREAD_STATE.target = target
    offset = np.array([left, top, 0], np.float32)
    first = 0
    for layer in layers:
        rasterizer.draw(target, layer.pixels - offset, layer.solid.triangles, first=first)
        first += len(layer.solid.triangles)
    first = 0
    for layer in layers:
        shading = layer.shading(layer.pixels)
        rasterizer.shade(target, layer.pixels - offset, layer.solid, shading, first=first)
        rasterizer.blend(target, layer.pixels - offset, layer.transparent, shading, bias=layer.bias)
        first += len(layer.solid.triangles)
    rasterizer.composite(target, image[top:bottom, left:right])
    coverage[top:bottom, left:right] = np.round(np.minimum(target.canvas[..., 3], 1) * 255)
    return image, coverage


def _background(background: Image | None, camera: Camera) -> Image:
    if background is None:
        return studio_wall(camera.width, camera.height).copy()
    if background.shape != (camera.height, camera.width, 3) or background.dtype != np.uint8:
        expected = (camera.height, camera.width, 3)
        raise ValueError(
            f"background: expected uint8 of shape {expected}, got {background.dtype} of shape {background.shape}"
        )
    return background.copy()


def _layers(face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> list[_Layer]:
    layers = [_head_layer(face, camera, maps)]
    if face.renderer._worn is not None:
        layers.append(_worn_items_layer(face.renderer._worn, face, camera, maps))
    return layers


def _head_layer(face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> _Layer:
    renderer, geometry = face.renderer, face.renderer.geometry
    local = geometry.surface(face.vertices, renderer.appearance)
    points = torso.bend_neck(local, geometry.torso_share, face.pose)

    def shading(pixels: NDArray[np.float32]) -> rasterizer.Shading:
        normals = geometry.normals(local, face.vertices) @ face.pose.rotation.T.astype(np.float32)
        texture = renderer._paint.texture_for(_texels_per_pixel(geometry, pixels))
        return rasterizer.Shading(facing_normals(normals, points), geometry.tint(local, face.vertices), texture, maps)

    return _Layer(to_pixels(points, camera), geometry.solid, geometry.lashes, _LASH_BIAS, shading)


def _worn_items_layer(worn: WornItems, face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> _Layer:
    local = worn.surface(face.vertices)
    points = torso.bend_neck(local, worn.torso_share, face.pose)

    def shading(pixels: NDArray[np.float32]) -> rasterizer.Shading:
        normals = worn.normals(local) @ face.pose.rotation.T.astype(np.float32)
        # A lock of hair is about two millimeters wide: texels finer than pixels would cause aliasing.
        coarse = camera.matrix[0, 0] / max(float(face.pose.position[2]), 1e-3) < _FINE_HAIR
        return rasterizer.Shading(facing_normals(normals, points), worn.tint, worn.texture_levels[int(coarse)], maps)

    return _Layer(to_pixels(points, camera), worn.solid, worn.transparent, 0.0, shading)


def _texels_per_pixel(geometry: HeadGeometry, pixels: NDArray) -> float:
    """Texels of the full-resolution texture per image pixel, averaged over the face."""
    spread = pixels[geometry.face_vertices, :2].std(axis=0)
    return float(geometry.face_texels / max(float(np.hypot(*spread)), 1e-6))
