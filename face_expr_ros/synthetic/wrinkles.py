"""Effects of age: wrinkles and hair loss, as functions of the position on the mean head, meters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def wrinkle_depth(points: NDArray, seed: int) -> Float32:
    """Depth (n,) in 0..1 of wrinkles at points (n, 3): forehead, crow's feet, nasolabial folds, between the brows."""
    depth = np.zeros(len(points), np.float32)
    face = np.flatnonzero((points[:, 2] > -0.06) & (points[:, 1] > -0.083) & (points[:, 1] < 0.075))
    if len(face):
        depth[face] = _face_wrinkles(points[face], np.random.default_rng([seed, 8]))
    return depth


def _face_wrinkles(points: NDArray, rng: np.random.Generator) -> NDArray:
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    lateral = np.abs(x)
    wave = 0.0012 * np.sin(x * 90 + rng.uniform(0, 6)) + 0.0008 * np.sin(x * 230 + rng.uniform(0, 6))
    phase = (y + wave - 0.35 * x * x * 4) / rng.uniform(0.0075, 0.011)
    forehead = _ridge(phase) * _fade(0.041 - y, 0.030) * _fade(lateral, 0.048) * (z > -0.04) * (y > 0.024)
    angle = np.arctan2(y + 0.002, lateral - 0.040)
    feet = _ridge(angle / 0.42 + rng.uniform(0, 1)) * _fade(np.hypot(lateral - 0.055, y + 0.002), 0.011)
    feet = feet * (lateral > 0.047)
    along = np.clip((-0.040 - y) / 0.040, 0, 1)
    fold = np.exp(-(((lateral - (0.0175 + 0.017 * along**0.9)) / 0.0014) ** 2)) * (y > -0.082) * (y < -0.038)
    frown = np.exp(-(((lateral - 0.007) / 0.0010) ** 2)) * _fade(y - 0.012, 0.010)
    strength = rng.uniform(0.3, 1.0, 4)
    groups = (forehead, feet, fold, frown)
    deepest: NDArray = np.max([s * group for s, group in zip(strength, groups, strict=True)], axis=0)
    return deepest


def _ridge(phase: NDArray) -> NDArray:
    return np.exp(-(((phase - np.round(phase)) / 0.11) ** 2))


def _fade(distance: NDArray, reach: float) -> NDArray:
    t = np.clip(1 - np.abs(distance) / reach, 0, 1)
    return np.minimum(1.0, 2 * t)


def remaining_hair(points: NDArray, baldness: float) -> Float32:
    """Fraction (n,) of hair that remains at points (n, 3); hair loss starts at the temples and the crown.

    Args:
        baldness: 0 is full hair, 1 leaves hair around the ears and at the back, 1.15 none.
    """
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    crown = np.hypot(np.hypot(x, y - 0.10), 0.8 * (z + 0.13))
    temples = np.hypot(np.abs(x) - 0.045, np.hypot(y - 0.062, 0.7 * (z + 0.03)))
    front = np.hypot(0.7 * x, np.hypot(y - 0.075, z + 0.01))
    kept = np.minimum.reduce([crown / 0.115, temples / 0.075, front / 0.115])
    return np.clip((kept - baldness) / 0.12 + 1.0 * (baldness <= 0), 0, 1).astype(np.float32) * np.float32(
        baldness < 1.15
    )
