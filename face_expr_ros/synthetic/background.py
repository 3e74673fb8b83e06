"""The default background, a blurred studio wall, and image noise."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

_NOISE_PERIOD = 1_000_003  # samples; prime, so that the noise does not repeat in columns of an image


@functools.lru_cache(maxsize=1)
def _noise_loop() -> NDArray[np.float32]:
    noise = np.random.default_rng(11).standard_normal(_NOISE_PERIOD, np.float32)
    noise.setflags(write=False)
    return noise


def unit_noise(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """(count,) Gaussian noise of standard deviation 1: a precomputed loop, read from a random offset.

    Generating a number per sample would take longer than rendering the face.
    """
    loop, start = _noise_loop(), int(rng.integers(_NOISE_PERIOD))
    rounds = (count + start) // _NOISE_PERIOD
    return np.concatenate([loop[start:], *[loop] * rounds])[:count]


@functools.lru_cache(maxsize=4)
def studio_wall(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """A read-only (height, width, 3) uint8 BGR image: a soft light spot, a few blurred shapes and a vignette."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:18, 0:32] / np.array([17.0, 31.0])[:, None, None]
    base = np.array([118.0, 104.0, 92.0]) + (rng.normal(0, 14) + rng.normal(0, 5, 3) if seed else 0.0)
    pool = np.exp(-((x - 0.42) ** 2 / 0.18 + (y - 0.38) ** 2 / 0.22))
    wall = base * (0.55 + 0.55 * pool)[..., None]
    for _ in range(7):
        cx, cy, radius = rng.uniform(-0.1, 1.1), rng.uniform(0, 1), rng.uniform(0.07, 0.2)
        spot = np.exp(-((((x - cx) ** 2 + (0.56 * (y - cy)) ** 2) / radius**2) ** 2))
        wall += spot[..., None] * rng.uniform(-14, 18) * np.array([0.8, 0.95, 1.1])
    smooth = cv2.resize(wall.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    # Noise of about one level prevents visible banding of the gradient, also after JPEG or video compression.
    smooth += unit_noise(rng, smooth.size).reshape(smooth.shape) * np.float32(0.8)
    picture = np.clip(smooth, 0, 255, out=smooth).astype(np.uint8)
    picture.setflags(write=False)
    return picture
