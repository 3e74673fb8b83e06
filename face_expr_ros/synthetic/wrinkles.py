"""What years leave on a head: lines, and less hair. Places are on the mean face, in meters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def lines(points: NDArray, seed: int) -> Float32:
    """How deep in a line (0..1) points (n, 3) lie: forehead, crow's feet, from nose to mouth, between the brows."""
    found = np.zeros(len(points), np.float32)
    face = np.flatnonzero((points[:, 2] > -0.06) & (points[:, 1] > -0.083) & (points[:, 1] < 0.075))
    if len(face):
        found[face] = _lines_of_the_face(points[face], np.random.default_rng([seed, 8]))
    return found


def _lines_of_the_face(points: NDArray, rng: np.random.Generator) -> NDArray:
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    aside = np.abs(x)
    wave = 0.0012 * np.sin(x * 90 + rng.uniform(0, 6)) + 0.0008 * np.sin(x * 230 + rng.uniform(0, 6))
    phase = (y + wave - 0.35 * x * x * 4) / rng.uniform(0.0075, 0.011)
    forehead = _ridge(phase) * _fade(0.041 - y, 0.030) * _fade(aside, 0.048) * (z > -0.04) * (y > 0.024)
    angle = np.arctan2(y + 0.002, aside - 0.040)
    feet = _ridge(angle / 0.42 + rng.uniform(0, 1)) * _fade(np.hypot(aside - 0.055, y + 0.002), 0.011) * (aside > 0.047)
    along = np.clip((-0.040 - y) / 0.040, 0, 1)
    fold = np.exp(-(((aside - (0.0175 + 0.017 * along**0.9)) / 0.0014) ** 2)) * (y > -0.082) * (y < -0.038)
    frown = np.exp(-(((aside - 0.007) / 0.0010) ** 2)) * _fade(y - 0.012, 0.010)
    strength = rng.uniform(0.3, 1.0, 4)
    every = (forehead, feet, fold, frown)
    deepest: NDArray = np.max([s * part for s, part in zip(strength, every, strict=True)], axis=0)
    return deepest


def _ridge(phase: NDArray) -> NDArray:
    return np.exp(-(((phase - np.round(phase)) / 0.11) ** 2))


def _fade(distance: NDArray, reach: float) -> NDArray:
    t = np.clip(1 - np.abs(distance) / reach, 0, 1)
    return np.minimum(1.0, 2 * t)


def left_hair(points: NDArray, bald: float) -> Float32:
    """The share of hair (0..1) that is left at points (n, 3): it goes from the temples and the crown, last at the back.

    Args:
        bald: 0 is a full head, 1 a wreath around the ears, 1.15 none at all.
    """
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    crown = np.hypot(np.hypot(x, y - 0.10), 0.8 * (z + 0.13))
    temples = np.hypot(np.abs(x) - 0.045, np.hypot(y - 0.062, 0.7 * (z + 0.03)))
    front = np.hypot(0.7 * x, np.hypot(y - 0.075, z + 0.01))
    kept = np.minimum.reduce([crown / 0.115, temples / 0.075, front / 0.115])
    return np.clip((kept - bald) / 0.12 + 1.0 * (bald <= 0), 0, 1).astype(np.float32) * np.float32(bald < 1.15)
