"""Procedural backgrounds and textures for synthetic faces; no photographs are used."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def random_background(rng: np.random.Generator, side: int) -> Image:
    """(side, side, 3) uint8 BGR clutter: noise, shapes and stripes of many sizes, sharp or blurred, gray or colored."""
    image = _noise(rng, side) if rng.random() < 0.7 else np.full((side, side, 3), _color(rng), np.float32)
    for _ in range(rng.integers(0, 9)):
        _shape(rng, image)
    if rng.random() < 0.12:
        _stripes(rng, image)
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), float(np.exp(rng.uniform(np.log(0.4), np.log(6.0)))))
    return np.clip(image, 0, 255).astype(np.uint8)


def random_texture(rng: np.random.Generator, side: int) -> Image:
    """(side, side, 3) uint8 BGR texture of one material, such as skin or cloth, for objects that occlude a face."""
    skin = np.array([rng.uniform(40, 190), rng.uniform(60, 205), rng.uniform(90, 240)])
    base = np.sort(skin) if rng.random() < 0.5 else _color(rng)
    grain = _grain(rng, side, float(np.exp(rng.uniform(np.log(1.0), np.log(side / 3)))))[..., None]
    return np.clip(base * (1 + rng.uniform(0.03, 0.35) * grain), 0, 255).astype(np.uint8)


def _color(rng: np.random.Generator) -> NDArray[np.float32]:
    gray = rng.uniform(0, 255)
    return np.clip(gray + rng.normal(0, rng.choice([6, 50]), 3), 0, 255).astype(np.float32)


def _grain(rng: np.random.Generator, side: int, size: float) -> NDArray[np.float32]:
    """(side, side) noise of about unit variance with a grain size of ``size`` pixels."""
    cells = max(2, round(side / size))
    return cv2.resize(rng.normal(0, 1, (cells, cells)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)


def _noise(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Fractal noise that blends two colors: lower amplitude at higher frequencies, as in natural images."""
    tone = np.zeros((side, side), np.float32)
    falloff = rng.uniform(0.4, 1.0)
    for octave in range(6):
        tone += falloff**octave * _grain(rng, side, side / 2 ** (octave + 1))
    weight = (1 / (1 + np.exp(-rng.uniform(0.5, 3) * tone)))[..., None]
    return weight * _color(rng) + (1 - weight) * _color(rng)


def _shape(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    side = len(image)
    center = rng.uniform(-0.1, 1.1, 2) * side
    size = np.exp(rng.uniform(np.log(0.04), np.log(0.5))) * side
    color = tuple(float(c) for c in _color(rng))
    if rng.random() < 0.4:
        axes = (size * rng.uniform(0.3, 1), size * rng.uniform(0.3, 1))
        cv2.ellipse(image, (tuple(center), tuple(axes), float(rng.uniform(0, 180))), color, -1, cv2.LINE_AA)
        return
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
    radius = size * rng.uniform(0.4, 1, len(angles))
    corners = center + np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None]
    cv2.fillPoly(image, [np.round(corners).astype(np.int32)], color, cv2.LINE_AA)


def _stripes(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    side = len(image)
    y, x = np.mgrid[0:side, 0:side]
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(side / 2)))
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period + rng.uniform(0, 6.28))
    image += (rng.uniform(5, 70) * (wave if rng.random() < 0.5 else np.sign(wave)))[..., None]
