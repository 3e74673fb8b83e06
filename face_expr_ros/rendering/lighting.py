"""Studio light: what each material reflects of it, as a picture of a lit sphere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAP_SIZE = 64


@dataclass(frozen=True)
class Lamp:
    """A soft lamp far away.

    Attributes:
        direction: towards the lamp in the camera frame: x right, y down, z forward; need not have length one.
        color: linear blue, green, red.
        size: angular radius in radians, for reflections.
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
    """Lamps, and the light from everywhere, brighter from above.

    Attributes:
        lamps: the lamps.
        sky, ground: linear blue, green, red of the light from above and from below.
    """

    lamps: tuple[Lamp, ...] = field(default_factory=_studio)
    sky: tuple[float, float, float] = (0.34, 0.32, 0.31)
    ground: tuple[float, float, float] = (0.13, 0.14, 0.16)

    @staticmethod
    def random(rng: np.random.Generator) -> Light:
        """Studio light with the key lamp from a random side in front, random strengths and a random warmth."""
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
    """How a surface answers light.

    Attributes:
        wrap: how far diffuse light creeps around the edge of its shadow, for blue, green, red: red light travels
            farthest through skin.
        specular: strength of reflections seen head-on.
        grazing: additional strength at grazing angles (Fresnel).
        sharpness: exponent of the reflections; 0 reflects the lamps as discs, as a wet surface does.
        ambient: factor on the light from everywhere.
    """

    wrap: tuple[float, float, float]
    specular: float
    grazing: float
    sharpness: float
    ambient: float = 1.0


SKIN, EYE, TEETH, MOUTH, CLOTH, LASH = range(6)

MATERIALS = (
    Material((0.18, 0.24, 0.46), 0.16, 0.55, 14.0),
    Material((0.35, 0.35, 0.40), 0.55, 0.35, 0.0, 1.0),
    Material((0.40, 0.40, 0.45), 0.10, 0.20, 30.0),
    Material((0.30, 0.30, 0.50), 0.12, 0.30, 30.0),
    Material((0.20, 0.20, 0.20), 0.0, 0.10, 6.0),
    Material((0.60, 0.60, 0.60), 0.0, 0.0, 9.0),
)


def light_maps(light: Light, size: int = MAP_SIZE) -> NDArray[np.float32]:
    """The (materials, size, size, 8) maps that `rasterizer.Look` wants, one for each of MATERIALS."""
    grid = np.linspace(-1.0, 1.0, size)
    x, y = np.meshgrid(grid, grid)
    radius = np.maximum(np.hypot(x, y), 1.0)
    x, y = x / radius, y / radius
    normals = np.stack([x, y, -np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)
    return np.stack([_material_map(material, light, normals) for material in MATERIALS]).astype(np.float32)


def _material_map(material: Material, light: Light, normals: NDArray) -> NDArray:
    up = 0.5 - 0.5 * normals[..., 1:2]
    diffuse = material.ambient * (np.array(light.sky) * up + np.array(light.ground) * (1 - up))
    specular = np.zeros_like(diffuse)
    # The mirrored view (0, 0, -1), and Schlick's rise towards grazing angles.
    mirrored = 2 * -normals[..., 2:] * normals - np.array([0.0, 0.0, -1.0])
    fresnel = material.specular + material.grazing * (1 + normals[..., 2:]) ** 4
    wrap = np.array(material.wrap)
    for lamp in light.lamps:
        direction = np.array(lamp.direction) / np.linalg.norm(lamp.direction)
        facing = (normals @ direction)[..., None]
        diffuse = diffuse + np.array(lamp.color) * (np.clip((facing + wrap) / (1 + wrap), 0.0, None) ** (1 + wrap))
        specular = specular + fresnel * np.array(lamp.color) * _reflection(
            material, lamp, (mirrored @ direction)[..., None]
        )
    padding = np.zeros_like(diffuse[..., :1])
    return np.concatenate([diffuse, padding, specular, padding], axis=-1)


def _reflection(material: Material, lamp: Lamp, cosine: NDArray) -> NDArray:
    if material.sharpness:
        return np.clip(cosine, 0.0, None) ** material.sharpness
    return 1.6 * np.clip((cosine - np.cos(lamp.size)) / (1 - np.cos(lamp.size)) * 3.0, 0.0, 1.0)
