"""A z-buffer triangle rasterizer: visibility, smooth shading with texture, transparent layers, compositing.

Points are (V, 3): x, y in pixels (the center of the first pixel is (0, 0)) and z in meters along the optical axis.
Triangles are wound counter-clockwise seen from outside, as everywhere in the package. A triangle with a corner at or
behind the camera (z <= 0), a corner that is not finite, or zero area is skipped without an error.
A buffer has several samples per pixel for antialiasing.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _rasterizer
from face_expr_ros.kernels.indices import corners_of

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

EMPTY = -1
_LAST_MATERIAL = 255
_KINDS = (np.float32, np.int32, np.float32)  # of a target's inverse depth, index and canvas


def _srgb_to_linear() -> Float32:
    """Linear light of the 256 levels of sRGB (IEC 61966-2-1)."""
    level = np.arange(256) / 255.0
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _linear_to_srgb(steps: int = 8192) -> NDArray[np.uint8]:
    """The sRGB level of `steps` equal steps of linear light."""
    light = np.linspace(0.0, 1.0, steps)
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(level * 255).astype(np.uint8)


LINEAR = _srgb_to_linear()
ENCODED = _linear_to_srgb()


def _array(name: str, value: object, shape: tuple[int | None, ...], dtype: type) -> NDArray:
    array: NDArray[Any] = np.ascontiguousarray(value, dtype=dtype)
    if array.ndim != len(shape) or any(n not in (None, size) for n, size in zip(shape, array.shape, strict=True)):
        expected = ", ".join("n" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected the shape ({expected}), got {array.shape}")
    return array


@dataclass(frozen=True)
class Mesh:
    """The constant part of a moving mesh; checked once.

    Attributes:
        triangles: (T, 3) int32 vertex indices.
        uv: (U, 2) float32 texture coordinates, 0..1 of the texture's width and height, v downwards.
        uv_triangles: (T, 3) int32 indices into uv.
        materials: (T,) uint8 row of the light maps for each triangle.
        vertex_count: V, the number of points in every call.
    """

    triangles: Int32
    uv: Float32
    uv_triangles: Int32
    materials: NDArray[np.uint8]
    vertex_count: int

    def __post_init__(self) -> None:
        uv = _array("uv", self.uv, (None, 2), np.float32)
        triangles = corners_of("triangles", self.triangles, self.vertex_count)
        count = len(triangles)
        if not np.isfinite(uv).all():
            raise ValueError("uv: expected finite values, got others")
        object.__setattr__(self, "uv", uv)
        object.__setattr__(self, "triangles", triangles)
        uv_triangles = corners_of("uv_triangles", self.uv_triangles, len(uv))
        object.__setattr__(self, "uv_triangles", _array("uv_triangles", uv_triangles, (count, 3), np.int32))
        materials = np.asarray(self.materials)
        if materials.size and not 0 <= materials.min() <= materials.max() <= _LAST_MATERIAL:
            raise ValueError(
                f"materials: expected values in 0..{_LAST_MATERIAL}, got {materials.min()}..{materials.max()}"
            )
        object.__setattr__(self, "materials", _array("materials", materials, (count,), np.uint8))


class Target:
    """A render target: a z-buffer with samples x samples samples per pixel, and the pixel colors.

    Attributes:
        inverse_depth: (height * samples, width * samples) float32, 1 / meters, 0 where empty.
        index: the same shape, int32: number of the visible triangle, EMPTY where empty.
        canvas: (height, width, 4) float32: linear blue, green, red, times opacity, and opacity.
    """

    def __init__(self, width: int, height: int, samples: int = 2, *, reuse: Target | None = None) -> None:
        """A cleared target; with `reuse`, in the memory of another target, which must not be used afterwards.

        Allocating new memory costs more than drawing a face, because of page faults.
        """
        if width < 0 or height < 0 or not 1 <= samples <= 8:
            raise ValueError(f"expected a size of at least 0 and 1..8 samples, got {width}x{height} and {samples}")
        self.width, self.height, self.samples = width, height, samples
        self._memory: tuple[NDArray[Any], ...]
        needed = (width * height * samples * samples, width * height * 4)
        if reuse is not None and all(have.size >= need for have, need in zip(reuse._memory[1:], needed, strict=True)):
            self._memory = reuse._memory
        else:
            self._memory = tuple(np.empty(n, kind) for n, kind in zip((needed[0], *needed), _KINDS, strict=True))
        fine, coarse = (height * samples, width * samples), (height, width, 4)
        self.inverse_depth: Float32 = self._memory[0][: needed[0]].reshape(fine)
        self.index: Int32 = self._memory[1][: needed[0]].reshape(fine)
        self.canvas: Float32 = self._memory[2][: needed[1]].reshape(coarse)
        for array, empty in ((self.inverse_depth, 0), (self.index, EMPTY), (self.canvas, 0)):
            array.fill(empty)

    def in_samples(self, points: NDArray) -> Float32:
        """Points in pixels to points in samples, contiguous float32."""
        points = _array("points", points, (None, 3), np.float32)
        if self.samples == 1:
            return points
        scaled = points.copy()
        scaled[:, :2] = (points[:, :2] + np.float32(0.5)) * self.samples - np.float32(0.5)
        return scaled


def draw(target: Target, points: NDArray, triangles: NDArray, *, first: int = 0, cull: bool = True) -> None:
    """Draw triangles into the target's z-buffer; they are numbered from `first`.

    Equals, for every triangle n with barycentric weights w over the samples it covers::

        inverse = w @ (1 / points[triangles[n], 2])
        nearer = inverse > inverse_depth
        inverse_depth[nearer], index[nearer] = inverse[nearer], first + n

    Args:
        points: (V, 3), see the module.
        triangles: (T, 3) integers.
        cull: skip triangles that face away from the camera.
    Raises:
        ValueError: for a wrong shape or an index outside the points.
    """
    scaled = target.in_samples(points)
    indices = corners_of("triangles", triangles, len(scaled))
    _rasterizer.draw(scaled, indices, first, cull, target.inverse_depth, target.index)


@dataclass(frozen=True)
class Shading:
    """Normals, colors and lights of a mesh in one image.

    Attributes:
        normals: (V, 3) float32; x right, y down, z away from the viewer; need not have length one.
        tint: (V, 3) float32 factors on linear blue, green, red.
        texture: (h, w, 4) uint8: sRGB blue, green, red, and gloss (for `shade`) or opacity (for `blend`).
        lights: (M, n, n, 8) float32: diffuse blue, green, red, 0 and specular blue, green, red, 0 light of each
            material at the normal (x, y), x and y from -1 to 1: an image of a lit sphere.
    """

    normals: Float32
    tint: Float32
    texture: NDArray[np.uint8]
    lights: Float32

    def checked(self, mesh: Mesh) -> tuple[Float32, Float32, NDArray[np.uint8], Float32]:
        normals = _array("normals", self.normals, (mesh.vertex_count, 3), np.float32)
        tint = _array("tint", self.tint, (mesh.vertex_count, 3), np.float32)
        texture = _array("texture", self.texture, (None, None, 4), np.uint8)
        lights = _array("lights", self.lights, (None, None, None, 8), np.float32)
        if not texture.size:
            raise ValueError(f"texture: expected at least one pixel, got the shape {texture.shape}")
        if lights.shape[1] != lights.shape[2] or lights.shape[1] < 2:
            raise ValueError(f"lights: expected square maps of at least 2x2, got {lights.shape[1:3]}")
        if mesh.materials.size and mesh.materials.max() >= len(lights):
            raise ValueError(
                f"lights: expected maps for material {mesh.materials.max()} of the mesh, got {len(lights)}"
            )
        # The compiled code computes an index from a normal's x and y, which must be valid for any normal.
        return np.nan_to_num(normals, posinf=0.0, neginf=0.0), tint, texture, lights


def shade(
    target: Target, points: NDArray, mesh: Mesh, shading: Shading, *, first: int = 0, crease: float = 0.01
) -> None:
    """Add the colors of one mesh, which was drawn with the same points and `first`, to the target's canvas.

    Equals, for a pixel of triangle n at perspective-correct barycentric coordinates b::

        texel = bilinear(texture, b @ uv[uv_triangles[n]])
        diffuse, specular = split(bilinear(lights[materials[n]], normalize(b @ normals[triangles[n]])[:2]))
        color = (b @ tint[triangles[n]]) * (LINEAR[round(texel[:3])] * diffuse + texel[3] / 255 * specular)

    and canvas += share of the pixel's samples * (color, 1). Samples of one material whose depth differs by less than
    the fraction `crease` are shaded together, at their center.
    """
    scaled = _array("points", target.in_samples(points), (mesh.vertex_count, 3), np.float32)
    normals, tint, texture, lights = shading.checked(mesh)
    _rasterizer.shade(
        scaled, mesh.triangles, first, mesh.uv_triangles, normals, mesh.uv, tint, mesh.materials, texture, LINEAR,
        lights, target.inverse_depth, target.index, target.samples, crease, target.canvas,
    )  # fmt: skip


def blend(target: Target, points: NDArray, mesh: Mesh, shading: Shading, *, bias: float = 0.0) -> None:
    """Blend a transparent mesh over the canvas, triangle by triangle, where the z-buffer does not hide it.

    Equals canvas = canvas * (1 - a) + a * (color, 1), where color is as in `shade` with a gloss of 1, and a is the
    texture's opacity times the share of the pixel's samples that the triangle covers. A triangle behind the z-buffer
    by up to the fraction `bias` of its depth still counts as visible.
    """
    scaled = _array("points", target.in_samples(points), (mesh.vertex_count, 3), np.float32)
    normals, tint, texture, lights = shading.checked(mesh)
    _rasterizer.blend(
        scaled, mesh.triangles, mesh.uv_triangles, normals, mesh.uv, tint, mesh.materials, texture, LINEAR, lights,
        target.inverse_depth, bias, target.samples, target.canvas,
    )  # fmt: skip


@functools.lru_cache(maxsize=8)
def tone_curve(white: float, steps: int = 16384, knee: float = 0.55) -> tuple[Float32, NDArray[np.uint8]]:
    """A camera's response with compressed highlights, as tables for `composite`.

    Linear light up to ``knee`` is sRGB; above it, the response rises more and more slowly to 255 at ``white``.

    Returns:
        The light of the 256 levels divided by ``white``, and the levels of equal steps of light up to ``white``.
    """
    light = np.linspace(0.0, white, steps)
    reach = (white - knee) / (1 - knee)
    over = np.maximum(light - knee, 0) / (1 - knee)
    bend = 1.0
    for _ in range(60):  # so that the slope is 1 at the knee
        bend = np.log1p(bend * reach)
    shown = np.minimum(light, knee) + (1 - knee) * np.log1p(bend * over) / np.log1p(bend * reach)
    encoded = np.where(shown <= 0.0031308, shown * 12.92, 1.055 * shown ** (1 / 2.4) - 0.055) * 255
    linear = np.interp(np.arange(256), encoded, light / white)
    return linear.astype(np.float32), np.round(encoded).astype(np.uint8)


def composite(target: Target, image: NDArray[np.uint8], white: float = 1.0) -> None:
    """Composite the canvas over an sRGB image of the target's size, in place and in linear light.

    Equals image = encode(canvas[..., :3] + (1 - canvas[..., 3:]) * decode(image)).

    Args:
        white: linear light that is shown as 255; above 1, encode and decode are `tone_curve`, and the canvas is in
            units of it.
    """
    if image.dtype != np.uint8 or image.shape != (target.height, target.width, 3):
        expected = (target.height, target.width, 3)
        raise ValueError(f"image: expected uint8 of the shape {expected}, got {image.dtype} {image.shape}")
    linear, encoded = LINEAR, ENCODED
    if white > 1.0:
        linear, encoded = tone_curve(white)
    _rasterizer.composite(target.canvas, linear, encoded, image)


def depth_map(
    points: NDArray, triangles: NDArray, width: int, height: int, *, cull: bool = True
) -> tuple[Float32, Int32]:
    """Depth in meters (inf where empty) and triangle number (EMPTY where empty) of every pixel, one sample each."""
    target = Target(width, height, samples=1)
    draw(target, points, triangles, cull=cull)
    with np.errstate(divide="ignore"):
        return np.float32(1.0) / target.inverse_depth, target.index


def visible_vertices(points: NDArray, depth: Float32, tolerance: float = 0.003) -> NDArray[np.bool_]:
    """Which points are inside the depth map and at most `tolerance` meters behind it.

    Args:
        points: (V, 3), see the module.
        depth: (height, width) meters, from `depth_map`.
    Returns:
        (V,) bool.
    """
    points = _array("points", points, (None, 3), np.float32)
    height, width = depth.shape
    bounded = np.clip(np.nan_to_num(points[:, :2], nan=-9.0), -9, max(width, height) + 9)
    x, y = np.round(bounded).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height) & (points[:, 2] > 0)
    visible = np.zeros(len(points), bool)
    visible[inside] = points[inside, 2] <= depth[y[inside], x[inside]] + tolerance
    return visible
