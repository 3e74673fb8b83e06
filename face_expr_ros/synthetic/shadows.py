"""Shadows of the strongest lamp on a head and its hair, computed at the vertices.

The lamp is an area light: several directions within its disk give soft shadows. Red light scatters farthest in skin, so
the edge of a shadow is red.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import MATERIALS, SKIN, Lamp, Light, lit_ambient, lit_by
from face_expr_ros.synthetic.occlusion import Occluder, reached_from

Float32 = NDArray[np.float32]

_SCATTER = np.array([1.15, 1.0, 0.70])  # exponents of the visibility for blue, green and red
_GRAZING = 0.22  # cosine below which wrapped light replaces the shadow
_SIDE = 224  # width and height of a depth map, pixels
_TOLERANCE = 0.004  # meters
_FLOOR = 1e-4  # light below which a surface counts as dark


def key_lamp(light: Light) -> Lamp | None:
    """The lamp that casts shadows: the strongest; None without lamps."""
    return max(light.lamps, key=lambda lamp: sum(lamp.color), default=None)


def visibility(lamp: Lamp, samples: int, points: NDArray, occluders: Sequence[Occluder]) -> NDArray:
    """The fraction (n,) of a lamp that points (n, 3) in the camera frame see past surfaces, from some directions."""
    ways = _directions(lamp, samples)
    share: NDArray = np.mean([reached_from(way, points, occluders, _SIDE, _TOLERANCE) for way in ways], axis=0)
    return share


def _directions(lamp: Lamp, samples: int) -> NDArray:
    """(samples, 3) unit vectors within the disk of a lamp, along a spiral."""
    middle = np.array(lamp.direction) / np.linalg.norm(lamp.direction)
    across = np.cross(middle, [0.0, 1.0, 0.0] if abs(middle[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    over = np.cross(middle, across)
    step = np.arange(samples)
    radius = np.tan(lamp.size) * np.sqrt((step + 0.5) / samples) * (samples > 1)
    angle = step * np.pi * (3 - 5**0.5)
    ways = middle + radius[:, None] * (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * over)
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)


def shadow_tint(light: Light, lamp: Lamp, normals: NDArray, visible: NDArray) -> Float32:
    """Factors (n, 3) on the light of surfaces with unit normals (n, 3) that see a fraction (n,) of a lamp."""
    material = MATERIALS[SKIN]
    normals = normals.astype(np.float32)
    key = lit_by(lamp, material, normals)
    total = material.ambient * lit_ambient(light, normals)
    total = total + sum(lit_by(each, material, normals) for each in light.lamps)
    facing = normals @ (np.array(lamp.direction) / np.linalg.norm(lamp.direction)).astype(np.float32)
    visible = visible + (1 - visible) * np.clip((_GRAZING - facing) / _GRAZING, 0.0, 1.0)
    scattered = visible[:, None] ** _SCATTER
    tint: Float32 = (1 - (1 - scattered) * key.T / np.maximum(total.T, _FLOOR)).astype(np.float32)
    return tint
