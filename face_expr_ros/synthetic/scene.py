"""Draws heads into images: full perspective, studio light, several faces in one z-buffer."""

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
from face_expr_ros.synthetic.wardrobe import wear
from face_expr_ros.synthetic.worn import Worn

Image = NDArray[np.uint8]

# Lashes grow out of the lids, which are drawn before them: they still show this fraction of the depth inside.
_LASH_BIAS = 0.0015
_FINE_HAIR = 900.0  # pixels per meter from which on the fine texture of what is worn is taken


_LAST = threading.local()  # its target: the memory of a thread's last picture serves the next one


@functools.lru_cache(maxsize=8)
def _light_maps(light: Light) -> NDArray[np.float32]:
    return light_maps(light)


class FaceRenderer:
    """One person, ready to be drawn.

    Args:
        model: the face model, with the parts of the open model.
        appearance: colors, hair.
        texture_width: of the skin's texture in pixels; the cost of the constructor grows with its square.
    """

    def __init__(
        self, model: MorphableModel, appearance: Appearance | None = None, *, texture_width: int = 768
    ) -> None:
        self.model = model
        self.appearance = appearance or Appearance()
        self.texture_width = texture_width
        self.geometry: HeadGeometry = head_geometry(model, texture_width)
        self._paint: Paint = paint_head(self.geometry, self.appearance)
        self._worn: Worn | None = wear(model, self.appearance)

    def render(
        self,
        vertices: NDArray | tuple[NDArray, NDArray],
        pose: Pose,
        camera: Camera,
        light: Light | None = None,
        background: Image | None = None,
        samples: int = 2,
    ) -> Image:
        """Draws this person alone; see `render_scene`.

        Args:
            vertices: (V, 3) of the model in model axes, meters, or (shape, expression) coefficients.
        """
        if isinstance(vertices, tuple):
            vertices = self.model.vertices(*vertices)
        return render_scene([SceneFace(self, vertices, pose)], camera, light, background, samples)


@dataclass(frozen=True)
class SceneFace:
    """One person in a scene: who, with which vertices (V, 3) in model axes, and where."""

    renderer: FaceRenderer
    vertices: NDArray
    pose: Pose


@dataclass(frozen=True, eq=False)
class _Layer:
    """One mesh of one person on the image: points in pixels, the solid mesh and the see-through one over them.

    The look of a layer that nobody sees is never made.
    """

    pixels: NDArray[np.float32]
    solid: rasterizer.Mesh
    glass: rasterizer.Mesh
    bias: float
    look: Callable[[NDArray[np.float32]], rasterizer.Look]


def render_scene(
    faces: Sequence[SceneFace],
    camera: Camera,
    light: Light | None = None,
    background: Image | None = None,
    samples: int = 2,
) -> Image:
    """Draws people into one image.

    Args:
        faces: the people; nearer ones hide farther ones.
        camera: a pinhole; its distortion must be zero.
        light: the studio.
        background: (height, width, 3) BGR of the camera's size; None is a studio wall. It is not changed.
        samples: edge smoothing: samples x samples a pixel.
    Returns:
        (height, width, 3) uint8 BGR. A point of the camera frame is where cv2.projectPoints puts it.
    Raises:
        ValueError: for a camera with distortion or a background of another size.
    """
    return render_scene_with_coverage(faces, camera, light, background, samples)[0]


def render_scene_with_coverage(
    faces: Sequence[SceneFace],
    camera: Camera,
    light: Light | None = None,
    background: Image | None = None,
    samples: int = 2,
) -> tuple[Image, Image]:
    """The image of `render_scene`, and how much of each pixel the people cover.

    Returns:
        The image, and (height, width) uint8: 0 is background alone, 255 people alone.
    Raises:
        ValueError: as `render_scene`.
    """
    if np.any(camera.distortion):
        raise ValueError("the renderer draws through a pinhole: a camera with distortion 0 is needed")
    image = _background(background, camera)
    coverage = np.zeros((camera.height, camera.width), np.uint8)
    maps = _light_maps(light or Light())
    layers = [layer for face in faces for layer in _layers(face, camera, maps)]
    box = bounding_box([layer.pixels for layer in layers], camera.width, camera.height)
    if box is None:
        return image, coverage
    left, top, right, bottom = box
    target = rasterizer.Target(right - left, bottom - top, samples, reuse=getattr(_LAST, "target", None))
    _LAST.target = target
    offset = np.array([left, top, 0], np.float32)
    first = 0
    for layer in layers:
        rasterizer.draw(target, layer.pixels - offset, layer.solid.triangles, first=first)
        first += len(layer.solid.triangles)
    first = 0
    for layer in layers:
        look = layer.look(layer.pixels)
        rasterizer.shade(target, layer.pixels - offset, layer.solid, look, first=first)
        rasterizer.blend(target, layer.pixels - offset, layer.glass, look, bias=layer.bias)
        first += len(layer.solid.triangles)
    rasterizer.composite(target, image[top:bottom, left:right])
    coverage[top:bottom, left:right] = np.round(np.minimum(target.canvas[..., 3], 1) * 255)
    return image, coverage


def _background(background: Image | None, camera: Camera) -> Image:
    if background is None:
        return studio_wall(camera.width, camera.height).copy()
    if background.shape != (camera.height, camera.width, 3) or background.dtype != np.uint8:
        wanted = (camera.height, camera.width, 3)
        raise ValueError(f"background must be uint8 of the shape {wanted}, not {background.dtype} {background.shape}")
    return background.copy()


def _layers(face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> list[_Layer]:
    layers = [_head_layer(face, camera, maps)]
    if face.renderer._worn is not None:
        layers.append(_worn_layer(face.renderer._worn, face, camera, maps))
    return layers


def _head_layer(face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> _Layer:
    renderer, geometry = face.renderer, face.renderer.geometry
    local = geometry.surface(face.vertices, renderer.appearance)
    points = torso.bend(local, geometry.torso_share, face.pose)

    def look(pixels: NDArray[np.float32]) -> rasterizer.Look:
        normals = geometry.normals(local, face.vertices) @ face.pose.rotation.T.astype(np.float32)
        texture = renderer._paint.texture_for(_texels_per_pixel(geometry, pixels))
        return rasterizer.Look(facing_normals(normals, points), geometry.tint(local, face.vertices), texture, maps)

    return _Layer(to_pixels(points, camera), geometry.solid, geometry.lashes, _LASH_BIAS, look)


def _worn_layer(worn: Worn, face: SceneFace, camera: Camera, maps: NDArray[np.float32]) -> _Layer:
    local = worn.surface(face.vertices)
    points = torso.bend(local, worn.share, face.pose)

    def look(pixels: NDArray[np.float32]) -> rasterizer.Look:
        normals = worn.normals(local) @ face.pose.rotation.T.astype(np.float32)
        # A lock of hair is about two millimeters: finer texels than pixels would only sparkle.
        coarse = camera.matrix[0, 0] / max(float(face.pose.position[2]), 1e-3) < _FINE_HAIR
        return rasterizer.Look(facing_normals(normals, points), worn.tint, worn.levels[int(coarse)], maps)

    return _Layer(to_pixels(points, camera), worn.solid, worn.glass, 0.0, look)


def _texels_per_pixel(geometry: HeadGeometry, pixels: NDArray) -> float:
    """Texels of the full texture across one pixel of the picture, over the face."""
    spread = pixels[geometry.face_vertices, :2].std(axis=0)
    return float(geometry.face_texels / max(float(np.hypot(*spread)), 1e-6))
