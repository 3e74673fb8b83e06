"""Image-based light: high dynamic range environment maps as lamps, spherical harmonics and backgrounds.

A map is an equirectangular image in linear light. Its peaks (sun, windows, softboxes) are approximated by one key
lamp, which gives highlights and hard shading edges; the remainder is approximated by nine spherical harmonics
(Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", 2001).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.drawing.lighting import Lamp, Light, harmonic_basis
from face_expr_ros.kernels.rasterizer import ENCODED

Float32 = NDArray[np.float32]

_ROWS = 64  # rows of the reduced map from which light is computed
_PEAK = 8.0  # times the mean radiance: the excess above it is assigned to the key lamp
_SHADOW_SAMPLES = 5
_BRIGHTEST = 65504.0  # of half precision, where a sun exceeds it
_PALEST = 0.35  # least ratio of the channels of a peak
_WHITE = 3.0  # light that the camera shows as white
_BACKLIT = 0.6  # fraction of the strongest light on the face that counts for the exposure at least
_LARGEST_KEY = 3.0  # maximum ratio of the key lamp's light to the remaining light
_WHITE_BALANCE = 0.75  # fraction of the light's color that the camera's white balance removes
_COSINE = np.array([np.pi, *[2 * np.pi / 3] * 3, *[np.pi / 4] * 5])  # convolution with the cosine, by band


@dataclass(frozen=True, eq=False)
class Environment:
    """A map of radiance.

    Attributes:
        radiance: (H, 2 H, 3) float32 linear blue, green, red; the direction of the middle column is behind the camera.
    """

    radiance: Float32

    def turned(self, part: float) -> Environment:
        """The environment rotated about the vertical axis by a fraction 0..1 of a full turn."""
        return Environment(np.roll(self.radiance, int(part * self.radiance.shape[1]), axis=1))


def read_environment(path: Path) -> Environment:
    """Read an OpenEXR or Radiance file. Raises ValueError for other files."""
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # must be set before OpenCV decodes its first OpenEXR file
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.float32 or image.ndim != 3:
        raise ValueError(f"expected a high dynamic range image (float32, color), got {str(path)!r}")
    radiance = np.nan_to_num(np.maximum(image[..., :3], 0), posinf=_BRIGHTEST)
    # Peaks that were resampled channel by channel have lost channels: lamps are never of one pure color.
    peak = radiance.max(axis=2, keepdims=True)
    bright = peak > _PEAK * 4 * radiance.mean()
    return Environment(np.where(bright, np.maximum(radiance, _PALEST * peak), radiance).astype(np.float32))


def light_from(environment: Environment, exposure: float) -> Light:
    """The light of an environment on a face.

    Args:
        exposure: of a white surface that faces the camera; 1 is the brightest that the image can show.
    """
    columns = 2 * _ROWS
    small = cv2.resize(environment.radiance, (columns, _ROWS), interpolation=cv2.INTER_AREA)
    directions, solid = _directions(_ROWS)
    mean = (small * solid[..., None]).sum(axis=(0, 1)) / solid.sum()
    rest = np.minimum(small, _PEAK * mean.mean())
    key = _key_lamp(small - rest, directions, solid)
    basis = harmonic_basis(directions.reshape(-1, 3))
    moments = basis.T @ (rest * solid[..., None]).reshape(-1, 3)
    harmonics = moments * _COSINE[:, None] / np.pi
    return _exposed(harmonics, key, exposure)


def _exposed(harmonics: NDArray[np.float64], key: Lamp | None, exposure: float) -> Light:
    """Both parts of the light, scaled to an exposure, with most of the color cast removed by white balance."""
    normals = _facing_normals()
    light = harmonic_basis(normals) @ harmonics
    if key is not None:
        lamp = np.array(key.color)
        lamp *= min(1.0, _LARGEST_KEY * float(light.mean()) / max(float(lamp.mean()), 1e-9))
        light = light + np.maximum(normals @ np.array(key.direction), 0)[:, None] * lamp
    color = np.maximum(light.mean(axis=0), 1e-9)
    strength = max(float(color.mean()), _BACKLIT * float(light.mean(axis=1).max()))
    factor = exposure / strength * (color / color.mean()) ** -_WHITE_BALANCE
    lamps = () if key is None else (Lamp(key.direction, _triple(lamp * factor), key.size),)
    rows = tuple(_triple(row) for row in harmonics * factor)
    return Light(lamps=lamps, harmonics=rows, shadow_samples=_SHADOW_SAMPLES, white=_WHITE)


def _facing_normals() -> Float32:
    """(9, 3) normals of a face that looks into the camera."""
    slopes = [(0, 0), (0.5, 0), (-0.5, 0), (0, -0.5), (0, 0.5), (1, 0), (-1, 0), (0, -1), (0, 1)]
    normals = np.array([(x, y, -0.85) for x, y in slopes])
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)


def _triple(color: NDArray[np.float64]) -> tuple[float, float, float]:
    blue, green, red = color.tolist()
    return blue, green, red


def _key_lamp(peaks: Float32, directions: Float32, solid: Float32) -> Lamp | None:
    """One lamp that approximates the peaks; None without peaks."""
    weight = peaks.mean(axis=2) * solid
    if weight.sum() <= 1e-6:
        return None
    brightest = directions[np.unravel_index(weight.argmax(), weight.shape)]
    near = (directions @ brightest) > 0.8  # peaks within about 37 degrees of the brightest one
    middle = (directions * (weight * near)[..., None]).sum(axis=(0, 1))
    middle /= np.linalg.norm(middle)
    color = (peaks * (solid * near)[..., None]).sum(axis=(0, 1)) / np.pi
    spread = np.average(np.arccos(np.clip(directions @ middle, -1, 1)), weights=weight * near)
    return Lamp(_triple(middle), _triple(color), float(np.clip(spread, 0.1, 0.5)))


def background_from(environment: Environment, side: int, field_of_view: float, exposure: float) -> NDArray[np.uint8]:
    """(side, side, 3) BGR: the part of the environment that a camera sees behind the face, without tone mapping.

    Args:
        field_of_view: degrees.
        exposure: factor on the radiance; 1 maps the mean radiance to a middle gray.
    """
    reach = np.tan(np.radians(field_of_view) / 2)
    y, x = np.mgrid[-reach : reach : side * 1j, -reach : reach : side * 1j]
    azimuth, elevation = np.arctan2(x, 1.0), np.arctan2(-y, np.hypot(x, 1.0))
    rows, columns = environment.radiance.shape[:2]
    u = (azimuth / (2 * np.pi)) % 1.0 * columns - 0.5
    v = (0.5 - elevation / np.pi) * rows - 0.5
    wrapped = np.concatenate([environment.radiance, environment.radiance[:, :1]], axis=1)
    seen = cv2.remap(wrapped, (u % columns).astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    gray = 0.2 * exposure / max(float(environment.radiance.mean()), 1e-9)
    level = np.clip(seen * gray * (len(ENCODED) - 1), 0, len(ENCODED) - 1)
    return ENCODED[level.astype(np.intp)]


def _directions(rows: int) -> tuple[Float32, Float32]:
    """Directions (rows, 2 rows, 3) of a map's pixels in the camera frame, and their solid angles."""
    polar = np.pi * (np.arange(rows) + 0.5) / rows
    azimuth = 2 * np.pi * (np.arange(2 * rows) + 0.5) / (2 * rows)
    polar, azimuth = np.meshgrid(polar, azimuth, indexing="ij")
    level = np.sin(polar)
    directions = np.stack([level * np.sin(azimuth), -np.cos(polar), level * np.cos(azimuth)], axis=-1)
    return directions.astype(np.float32), (level * (np.pi / rows) ** 2).astype(np.float32)
