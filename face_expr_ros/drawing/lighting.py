"""Lights and materials: reflected light per normal direction, as images of a lit sphere (matcaps)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAP_SIZE = 64


@dataclass(frozen=True)
class Lamp:
    """A distant area light.

    Attributes:
        direction: towards the lamp in the camera frame: x right, y down, z forward; any length.
        color: linear blue, green, red.
        size: angular radius of its reflection, radians.
    """

    direction: tuple[float, float, float]
    color: tuple[float, float, float]
    size: float = 0.3


def _studio() -> tuple[Lamp, ...]:
    key = Lamp((-0.55, -0.62, -0.75), (0.78, 0.86, 0.92), 0.30)
    fill = Lamp((0.85, -0.15, -0.7), (0.30, 0.26, 0.24), 0.35)
    rim = Lamp((0.75, -0.55, 0.75), (0.60, 0.52, 0.46), 0.35)
    back = Lamp((-0.9, -0.3, 0.55), (0.26, 0.24, 0.24), 0.35)
    return key, fill, rim, back


@dataclass(frozen=True)
class Light:
    """Lamps and hemispherical ambient light.

    Attributes:
        lamps: the lamps.
        sky, ground: linear blue, green, red of the ambient light from above and from below.
        harmonics: nine of (blue, green, red), the ambient light on a normal in the basis of `harmonic_basis`, used
            instead of sky and ground; may be empty.
        shadow_samples: number of directions in which the strongest lamp casts shadows; 0 is no shadows.
        white: linear light that the image shows as white; above 1, highlights are compressed as by film.
    """

    lamps: tuple[Lamp, ...] = field(default_factory=_studio)
    sky: tuple[float, float, float] = (0.34, 0.32, 0.31)
    ground: tuple[float, float, float] = (0.13, 0.14, 0.16)
    harmonics: tuple[tuple[float, float, float], ...] = ()
    shadow_samples: int = 0
    white: float = 1.0

    @staticmethod
    def random(rng: np.random.Generator) -> Light:
        """Studio light with a key lamp from a random direction in front, random intensities and color temperature."""
        azimuth, elevation = rng.uniform(-1.1, 1.1), rng.uniform(-0.2, 0.95)
        forward = -np.cos(azimuth) * np.cos(elevation)
        key = (float(np.sin(azimuth) * np.cos(elevation)), float(-np.sin(elevation)), float(forward))
        warmth = np.array([1 - (tone := rng.uniform(-0.12, 0.12)), 1.0, 1 + tone])
        strength = rng.uniform(0.55, 1.05)
        fill = (-key[0] + float(rng.normal(0, 0.2)), float(rng.uniform(-0.4, 0.2)), -0.7)
        return Light(
            (
                Lamp(key, _color(strength * 0.92 * warmth), float(rng.uniform(0.15, 0.45))),
                Lamp(fill, _color(rng.uniform(0.1, 0.5) * (2 - warmth)), 0.35),
                Lamp((float(rng.choice([-0.8, 0.8])), -0.5, 0.7), _color(rng.uniform(0, 0.7) * np.ones(3)), 0.35),
            ),
            _color(rng.uniform(0.2, 0.45) * (2 - warmth)),
            _color(rng.uniform(0.08, 0.2) * np.ones(3)),
        )


def _color(values: NDArray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


@dataclass(frozen=True)
class Material:
    """Reflectance of a surface.

    Attributes:
        wrap: extent of wrapped diffuse lighting for blue, green, red; red is scattered farthest in skin.
        specular: strength of specular reflections at normal incidence.
        grazing: additional strength at grazing angles (Fresnel).
        sharpness: specular exponent; 0 reflects the lamps as disks, as a wet surface does.
        ambient: factor on the ambient light.
    """

    wrap: tuple[float, float, float]
    specular: float
    grazing: float
    sharpness: float
    ambient: float = 1.0


SKIN, EYE, TEETH, MOUTH, CLOTH, LASH, HAIR, SHINY = range(8)

MATERIALS = (
    Material((0.18, 0.24, 0.46), 0.16, 0.55, 14.0),
    Material((0.35, 0.35, 0.40), 0.55, 0.35, 0.0, 1.0),
    Material((0.40, 0.40, 0.45), 0.10, 0.20, 30.0),
    Material((0.30, 0.30, 0.50), 0.12, 0.30, 30.0),
    Material((0.20, 0.20, 0.20), 0.0, 0.10, 6.0),
    Material((0.60, 0.60, 0.60), 0.0, 0.0, 9.0),
    Material((0.30, 0.30, 0.32), 0.22, 0.35, 9.0),
    Material((0.15, 0.15, 0.15), 0.45, 0.55, 28.0),
)


def light_maps(light: Light, size: int = MAP_SIZE) -> NDArray[np.float32]:
    """Light maps (materials, size, size, 8) for `rasterizer.Shading`, one for each of MATERIALS."""
    normals, mirrored, rim = _sphere(size)
    ambient = lit_ambient(light, normals)
    # Planes are contiguous, and each power of the cosine is computed once for all materials.
    planes = np.zeros((len(MATERIALS), 8, size * size), np.float32)
    for of, material in zip(planes, MATERIALS, strict=True):
        of[:3] = np.float32(material.ambient) * ambient
    for lamp in light.lamps:
        direction = (np.array(lamp.direction) / np.linalg.norm(lamp.direction)).astype(np.float32)
        facing, mirror = normals @ direction, mirrored @ direction
        wrapped = {wrap: _wrapped(facing, wrap) for material in MATERIALS for wrap in material.wrap}
        for of, material in zip(planes, MATERIALS, strict=True):
            reflected = (np.float32(material.specular) + np.float32(material.grazing) * rim) * _reflection(
                material, lamp, mirror
            )
            for channel, color in enumerate(lamp.color):
                of[channel] += np.float32(color) * wrapped[material.wrap[channel]]
                of[4 + channel] += np.float32(color) * reflected
    return np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(len(MATERIALS), size, size, 8)


def lit_ambient(light: Light, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, n) light from everywhere on normals (n, 3)."""
    if light.harmonics:
        lit = harmonic_basis(normals) @ np.array(light.harmonics, np.float32)
        return np.maximum(lit, 0).T
    up = np.float32(0.5) - np.float32(0.5) * normals[:, 1]
    pairs = zip(light.sky, light.ground, strict=True)
    return np.array([np.float32(sky) * up + np.float32(ground) * (1 - up) for sky, ground in pairs])


def lit_by(lamp: Lamp, material: Material, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, n) diffuse light of one lamp on unit normals (n, 3)."""
    direction = (np.array(lamp.direction) / np.linalg.norm(lamp.direction)).astype(np.float32)
    facing = normals @ direction
    rows = [np.float32(color) * _wrapped(facing, wrap) for color, wrap in zip(lamp.color, material.wrap, strict=True)]
    return np.array(rows)


def harmonic_basis(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 9) real spherical harmonics up to the second band, at directions (n, 3) of any length."""
    x, y, z = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    band2 = [1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1), 1.092548 * x * z]
    return np.column_stack(
        [np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, *band2, 0.546274 * (x * x - y * y)]
    ).astype(np.float32)


def _wrapped(facing: NDArray[np.float32], wrap: float) -> NDArray[np.float32]:
    return _power((facing + np.float32(wrap)) / np.float32(1 + wrap), 1 + wrap)


def _power(base: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Positive values raised to a power, 0 elsewhere; NumPy's exp and log are several times as fast as its power."""
    raised: NDArray[np.float32] = np.exp(np.float32(exponent) * np.log(np.maximum(base, np.float32(1e-30))))
    return raised


@functools.lru_cache(maxsize=2)
def _sphere(size: int) -> tuple[NDArray[np.float32], ...]:
    """Normals (n, 3), mirrored view directions (n, 3) and Schlick's Fresnel term (n,) of a sphere, per pixel."""
    grid = np.linspace(-1.0, 1.0, size)
    x, y = np.meshgrid(grid, grid)
    radius = np.maximum(np.hypot(x, y), 1.0)
    x, y = x / radius, y / radius
    normals = np.stack([x, y, -np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)
    mirrored = 2 * -normals[..., 2:] * normals - np.array([0.0, 0.0, -1.0])
    pixels = normals.reshape(-1, 3), mirrored.reshape(-1, 3), ((1 + normals[..., 2]) ** 4).ravel()
    return tuple(values.astype(np.float32) for values in pixels)


def _reflection(material: Material, lamp: Lamp, cosine: NDArray[np.float32]) -> NDArray[np.float32]:
    reflected: NDArray[np.float32]
    if material.sharpness:
        reflected = _power(cosine, material.sharpness)
    else:
        edge = np.float32(np.cos(lamp.size))
        reflected = np.float32(1.6) * np.clip((cosine - edge) / (1 - edge) * np.float32(3.0), 0.0, 1.0)
    return reflected
