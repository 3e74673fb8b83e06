"""Renders heads with full perspective, studio light and a common z-buffer for several faces."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Pose
from face_expr_ros.drawing.lighting import Light, light_maps
from face_expr_ros.drawing.model_key import ModelKey
from face_expr_ros.drawing.projection import bounding_box
from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.background import studio_wall
from face_expr_ros.synthetic.hair_cards import HairCards, build_hair, shade_on_head
from face_expr_ros.synthetic.head import HeadGeometry, head_geometry
from face_expr_ros.synthetic.headwear import pressed_hair_drop
from face_expr_ros.synthetic.layers import Layer, person_layers
from face_expr_ros.synthetic.painting import Paint, paint_head
from face_expr_ros.synthetic.photo_meshes import Lashes, Teeth, build_lashes, teeth
from face_expr_ros.synthetic.photo_parts import PhotoParts
from face_expr_ros.synthetic.wardrobe import build_worn_items
from face_expr_ros.synthetic.worn import WornItems

Image = NDArray[np.uint8]

_UNDER_CARDS = 0.002  # meters; thickness of the hair painted on the scalp below hair cards
_THREAD_STATE = threading.local()  # its target: the buffers of a thread's last image are reused for the next one


def _hair_texture(width: int) -> int:
    """Side of the hair's texture for a width of the skin's texture, texels."""
    return 1024 if width >= 512 else 512


@functools.lru_cache(maxsize=8)
def _light_maps(light: Light) -> NDArray[np.float32]:
    return light_maps(light) / np.float32(light.white)  # `composite` expects units of the white light


class FaceRenderer:
    """Renders one person.

    Args:
        model: a face model with the mesh parts of the open model.
        appearance: appearance of the person; None uses the defaults.
        texture_width: width of the skin's texture, pixels; the cost of the constructor grows with its square.
        photo: photographs of the person; None paints everything.

    Attributes:
        geometry: the head; paint: its texture.
        hair: photographed hair on cards, or None; hair_shade: light factors that it leaves for the head's vertices.
        lashes, teeth: photographed ones, or None.
        worn: items with geometry of their own, or None.
    """

    def __init__(
        self,
        model: MorphableModel,
        appearance: Appearance | None = None,
        *,
        texture_width: int = 768,
        photo: PhotoParts | None = None,
    ) -> None:
        self.model = model
        self.appearance = appearance or Appearance()
        if photo is not None and photo.hair is not None:
            volume = min(self.appearance.hair_volume, _UNDER_CARDS)
            self.appearance = replace(self.appearance, hairstyle=None, hair_volume=volume)
        self.texture_width = texture_width
        self.geometry: HeadGeometry = head_geometry(model, texture_width)
        self.paint: Paint = paint_head(self.geometry, self.appearance, photo)
        self.worn: WornItems | None = build_worn_items(model, self.appearance)
        self.hair: HairCards | None = None
        self.hair_shade: NDArray[np.float32] | float = 1.0
        self.lashes: Lashes | None = None
        self.teeth: Teeth | None = None
        if photo is not None:
            self._add(photo)

    def _add(self, photo: PhotoParts) -> None:
        """Build the photographed parts with geometry of their own."""
        if photo.lashes is not None:
            self.lashes = build_lashes(self.geometry, photo.lashes, self.appearance.hair)
        if photo.teeth is not None:
            yellow = round(float(np.random.default_rng([self.appearance.seed, 31]).random()), 1)
            self.teeth = teeth(ModelKey(self.model), photo.teeth, yellow)
        if photo.hair is not None:
            headwear = self.appearance.headwear
            under = 0.0 if headwear is None else pressed_hair_drop(headwear)
            side = _hair_texture(self.texture_width)
            self.hair = build_hair(self.model, photo.hair, self.appearance.hair, side, under)
            self.hair_shade = shade_on_head(self.geometry, photo.hair.mesh, photo.hair.mirrored)

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
    image, coverage, _ = _render(faces, camera, light, background, samples)
    return image, coverage


def render_scene_with_depth(
    faces: Sequence[SceneFace],
    camera: Camera,
    light: Light | None = None,
    background: Image | None = None,
    samples: int = 2,
) -> tuple[Image, NDArray[np.float32]]:
    """The image of `render_scene`, and the depth (height, width) of its opaque surfaces in meters, inf elsewhere."""
    image, _, rendered = _render(faces, camera, light, background, samples)
    depth = np.full(image.shape[:2], np.inf, np.float32)
    if rendered is not None:
        window, target = rendered
        with np.errstate(divide="ignore"):
            depth[window] = 1 / target.inverse_depth[::samples, ::samples]
    return image, depth


def _render(
    faces: Sequence[SceneFace], camera: Camera, light: Light | None, background: Image | None, samples: int
) -> tuple[Image, Image, tuple[tuple[slice, slice], rasterizer.Target] | None]:
    """Image and coverage of a scene; the window of the image with people and its target, None without people."""
    if np.any(camera.distortion):
        raise ValueError(f"expected a pinhole camera without distortion, got distortion {camera.distortion}")
    image, light = _background(background, camera), light or Light()
    coverage = np.zeros((camera.height, camera.width), np.uint8)
    layers = _all_layers(faces, camera, light)
    box = bounding_box([layer.pixels for layer in layers], camera.width, camera.height)
    if box is None:
        return image, coverage, None
    left, top, right, bottom = box
    target = rasterizer.Target(right - left, bottom - top, samples, reuse=getattr(_THREAD_STATE, "target", None))
    _THREAD_STATE.target = target
    _draw_layers(target, layers, np.array([left, top, 0], np.float32))
    rasterizer.composite(target, image[top:bottom, left:right], light.white)
    coverage[top:bottom, left:right] = np.round(np.minimum(target.canvas[..., 3], 1) * 255)
    return image, coverage, ((slice(top, bottom), slice(left, right)), target)


def _all_layers(faces: Sequence[SceneFace], camera: Camera, light: Light) -> list[Layer]:
    """The layers of all people, the farthest person first."""
    maps = _light_maps(light)
    far_to_near = sorted(faces, key=lambda face: -float(face.pose.position[2]))
    people = (person_layers(face.renderer, face.vertices, face.pose, camera, light, maps) for face in far_to_near)
    return [layer for person in people for layer in person]


def _background(background: Image | None, camera: Camera) -> Image:
    if background is None:
        return studio_wall(camera.width, camera.height).copy()
    if background.shape != (camera.height, camera.width, 3) or background.dtype != np.uint8:
        expected = (camera.height, camera.width, 3)
        raise ValueError(
            f"background: expected uint8 of shape {expected}, got {background.dtype} of shape {background.shape}"
        )
    return background.copy()


def _draw_layers(target: rasterizer.Target, layers: Sequence[Layer], offset: NDArray[np.float32]) -> None:
    """Draw all opaque meshes, then blend the transparent ones in their order."""
    first = 0
    for layer in layers:
        rasterizer.draw(target, layer.pixels - offset, layer.solid.triangles, first=first, cull=layer.cull)
        first += len(layer.solid.triangles)
    first = 0
    for layer in layers:
        if len(layer.solid.triangles):
            rasterizer.shade(target, layer.pixels - offset, layer.solid, layer.shading(), first=first)
        first += len(layer.solid.triangles)
    for layer in layers:
        if len(layer.transparent.triangles):
            rasterizer.blend(target, layer.pixels - offset, layer.transparent, layer.shading(), bias=layer.bias)
