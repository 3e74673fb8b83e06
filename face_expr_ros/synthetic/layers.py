"""The surfaces of one person in an image: head, hair, worn items."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Camera, Pose
from face_expr_ros.drawing.lighting import HAIR, Light
from face_expr_ros.drawing.projection import facing_normals, to_pixels
from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic import shadows, torso
from face_expr_ros.synthetic.hair_cards import HairCards
from face_expr_ros.synthetic.head import HeadGeometry
from face_expr_ros.synthetic.occlusion import Occluder
from face_expr_ros.synthetic.photo_meshes import Teeth
from face_expr_ros.synthetic.worn import WornItems

if TYPE_CHECKING:
    from face_expr_ros.synthetic.scene import FaceRenderer

Float32 = NDArray[np.float32]
Maps = NDArray[np.float32]

# Lashes start inside the lids; they are visible up to this fraction of the depth behind the surface.
_LASH_BIAS = 0.0015
_HAIR_BIAS = 0.004  # meters behind the skin up to which cards of hair are visible
_CLOSED = 0.0035  # meters between the inner lip points up to which no teeth are drawn; closed lips have 0.003
_CARD_GLOSS = 0.2  # of transparent cards
_FINE_HAIR = 900.0  # pixels per meter from which on worn items use the full-resolution texture
_LASH_TEXELS = 4000.0  # texels per meter of the photographed lashes
_NO_TRIANGLES = np.zeros((0, 3), np.int32)


@dataclass(frozen=True, eq=False)
class Layer:
    """One mesh of one person: vertices in pixels, and the opaque and transparent mesh over them.

    The shading inputs are computed only if the layer is inside the image.

    Attributes:
        pixels: (n, 3) vertices, see `rasterizer`.
        solid: the opaque mesh; transparent: the mesh that is blended after all opaque ones.
        bias: relative depth behind other surfaces up to which the transparent mesh is visible.
        shading: shading inputs of both meshes.
        cull: triangles of the opaque mesh are visible only from their outer side.
    """

    pixels: Float32
    solid: rasterizer.Mesh
    transparent: rasterizer.Mesh
    bias: float
    shading: Callable[[], rasterizer.Shading]
    cull: bool = True


def person_layers(
    renderer: FaceRenderer, vertices: NDArray, pose: Pose, camera: Camera, light: Light, maps: Maps
) -> list[Layer]:
    """All layers of a person, in the order in which their transparent meshes are blended.

    Args:
        vertices: (V, 3) of the model in model axes, meters.
    """
    posed = _PosedPerson(renderer, vertices, pose, light, maps)
    layers = _head_layers(posed, camera)
    if renderer.teeth is not None and _mouth_opening(renderer, vertices) > _CLOSED:
        layers.append(_teeth_layer(posed, renderer.teeth, camera))
    if renderer.worn is not None:
        layers.append(_worn_items_layer(renderer.worn, vertices, pose, camera, maps))
    if posed.hair is not None:
        layers += _hair_layers(posed, posed.hair, camera)
    return layers


class _PosedPerson:
    """Head and hair in the camera frame; shadows are computed when they are first used.

    Attributes:
        local: (V', 3) rendered vertices in model axes; points: in the camera frame.
        hair_points: (n, 3) in the camera frame; (0, 3) without hair cards.
    """

    def __init__(self, renderer: FaceRenderer, vertices: NDArray, pose: Pose, light: Light, maps: Maps) -> None:
        self.renderer, self.vertices, self.pose, self.light, self.maps = renderer, vertices, pose, light, maps
        geometry, self.hair = renderer.geometry, renderer.hair
        self.local = geometry.surface(vertices, renderer.appearance)
        self.points = torso.bend_neck(self.local, geometry.torso_share, pose)
        self.hair_points = np.zeros((0, 3), np.float32)
        if self.hair is not None:
            self.hair_points = torso.bend_neck(self.hair.surface(vertices), self.hair.torso_share, pose)

    def in_camera(self, normals: NDArray) -> Float32:
        """Normals (n, 3) in model axes, in the camera frame."""
        return np.asarray(normals @ self.pose.rotation.T.astype(np.float32), np.float32)

    @functools.cached_property
    def visible(self) -> tuple[NDArray, NDArray]:
        """Fraction of the key lamp that the head's and the hair's vertices see."""
        lamp, count = shadows.key_lamp(self.light), len(self.points)
        both = np.vstack([self.points, self.hair_points])
        if lamp is None or not self.light.shadow_samples:
            return np.ones(count), np.ones(len(both) - count)
        occluders = [Occluder(self.points, self.renderer.geometry.solid.triangles)]
        if self.hair is not None:
            occluders.append(Occluder(self.hair_points, self.hair.solid.triangles, cull=False))
        seen = shadows.visibility(lamp, self.light.shadow_samples, both, occluders)
        return self.renderer.geometry.smoothed(seen[:count]), seen[count:]

    def shadowed(self, tint: Float32, facing: Float32, visible: NDArray) -> Float32:
        """Light factors (n, 3) with the shadow of the key lamp."""
        lamp = shadows.key_lamp(self.light)
        if lamp is None or not self.light.shadow_samples:
            return tint
        return tint * shadows.shadow_tint(self.light, lamp, _unit(facing), visible)


def _head_layers(person: _PosedPerson, camera: Camera) -> list[Layer]:
    geometry, renderer = person.renderer.geometry, person.renderer
    pixels = to_pixels(person.points, camera)
    texels_per_pixel = _texels_per_pixel(geometry, pixels)

    @functools.cache
    def shading() -> rasterizer.Shading:
        facing = facing_normals(person.in_camera(geometry.normals(person.local, person.vertices)), person.points)
        tint = geometry.tint(person.local, person.vertices) * renderer.hair_shade
        tint = person.shadowed(tint, facing, person.visible[0])
        return rasterizer.Shading(facing, tint, renderer.paint.texture_for(texels_per_pixel), person.maps)

    solid = geometry.solid if renderer.teeth is None else geometry.toothless
    lashes = renderer.lashes
    if lashes is None:
        return [Layer(pixels, solid, geometry.lashes, _LASH_BIAS, shading)]
    finest = _LASH_TEXELS * float(person.pose.position[2]) / float(camera.matrix[0, 0])
    level = int(np.clip(np.round(np.log2(max(finest, 1e-6))), 0, len(lashes.levels) - 1))

    def lash_shading() -> rasterizer.Shading:
        return replace(shading(), texture=lashes.levels[level])

    return [
        Layer(pixels, solid, _without_triangles(solid), 0.0, shading),
        Layer(pixels, _without_triangles(solid), lashes.mesh, _LASH_BIAS, lash_shading),
    ]


def _without_triangles(mesh: rasterizer.Mesh) -> rasterizer.Mesh:
    return replace(mesh, triangles=_NO_TRIANGLES, uv_triangles=_NO_TRIANGLES, materials=np.zeros(0, np.uint8))


def _teeth_layer(person: _PosedPerson, teeth: Teeth, camera: Camera) -> Layer:
    local = teeth.surface(person.vertices)
    points = (local @ person.pose.rotation.T + person.pose.position).astype(np.float32)

    def shading() -> rasterizer.Shading:
        facing = facing_normals(person.in_camera(teeth.normals(local)), points)
        tint = person.renderer.geometry.mouth_tint(local, person.vertices).astype(np.float32)
        return rasterizer.Shading(facing, tint, teeth.texture, person.maps)

    return Layer(to_pixels(points, camera), teeth.mesh, _without_triangles(teeth.mesh), 0.0, shading)


def _hair_layers(person: _PosedPerson, cards: HairCards, camera: Camera) -> list[Layer]:
    """Opaque and transparent cards; both have the same vertices."""
    points = person.hair_points
    pixels = to_pixels(points, camera)
    distance = max(float(person.pose.position[2]), 1e-3)
    level = cards.level(float(camera.matrix[0, 0]) / distance)

    @functools.cache
    def solid_shading() -> rasterizer.Shading:
        facing = facing_normals(person.in_camera(cards.normals), points)
        tint = person.shadowed(cards.tint, facing, person.visible[1])
        return rasterizer.Shading(facing, tint, cards.opaque_levels[level], person.maps)

    def card_shading() -> rasterizer.Shading:
        # The texture of a transparent mesh has no gloss: the reflections are reduced in the light.
        lights = person.maps.copy()
        lights[HAIR, ..., 4:] *= np.float32(_CARD_GLOSS)
        return replace(solid_shading(), texture=cards.levels[level], lights=lights)

    nothing = _without_triangles(cards.solid)
    return [
        Layer(pixels, cards.solid, nothing, 0.0, solid_shading, cull=False),
        Layer(pixels, nothing, cards.sorted_cards(points[:, 2]), _HAIR_BIAS / distance, card_shading, cull=False),
    ]


def _worn_items_layer(worn: WornItems, vertices: NDArray, pose: Pose, camera: Camera, maps: Maps) -> Layer:
    local = worn.surface(vertices)
    points = torso.bend_neck(local, worn.torso_share, pose)

    def shading() -> rasterizer.Shading:
        normals = worn.normals(local) @ pose.rotation.T.astype(np.float32)
        # A lock of hair is about two millimeters wide: texels finer than pixels would cause aliasing.
        coarse = camera.matrix[0, 0] / max(float(pose.position[2]), 1e-3) < _FINE_HAIR
        return rasterizer.Shading(facing_normals(normals, points), worn.tint, worn.texture_levels[int(coarse)], maps)

    return Layer(to_pixels(points, camera), worn.solid, worn.transparent, 0.0, shading)


def _mouth_opening(renderer: FaceRenderer, vertices: NDArray) -> float:
    """Largest distance between the inner points of the lips, meters."""
    upper, lower = (vertices[renderer.model.landmarks68[list(points)]] for points in ((61, 62, 63), (67, 66, 65)))
    return float(np.linalg.norm(upper - lower, axis=1).max())


def _unit(normals: NDArray) -> Float32:
    """Unit normals (n, 3); normals without a length, of unused vertices, face the camera."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-9, normals / np.maximum(length, 1e-9), [0.0, 0.0, -1.0]).astype(np.float32)


def _texels_per_pixel(geometry: HeadGeometry, pixels: NDArray) -> float:
    """Texels of the full-resolution texture per image pixel, averaged over the face."""
    spread = pixels[geometry.face_vertices, :2].std(axis=0)
    return float(geometry.face_texels / max(float(np.hypot(*spread)), 1e-6))
