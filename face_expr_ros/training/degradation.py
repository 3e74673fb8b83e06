"""Image degradation for training: the effects of cameras, lighting, resizing and compression."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.synthetic.camera_effects import video_frame

Image = NDArray[np.uint8]

_SHARP_SIDE = 120  # pixels of a picture that is blurred as much as it may be


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Degrade an image (side, side, 3) at random: color, shading, blur, low resolution, noise and JPEG compression.

    Each step is often mild or skipped. The result has the shape of the input.
    """
    image = _colors(image, rng)
    if rng.random() < 0.35:
        image = np.clip(image * _shading(rng, len(image)), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        image = _blur(image, rng)
    if rng.random() < 0.25:
        image = _reduce_resolution(image, rng)
    if rng.random() < 0.5:
        image = _add_noise(image, rng)
    return _compress(image, rng) if rng.random() < 0.4 else image


def _colors(image: Image, rng: np.random.Generator) -> Image:
    """Change saturation (some images become gray), then exposure, white balance, contrast and gamma."""
    saturation = 0.0 if rng.random() < 0.1 else float(np.clip(rng.normal(1.0, 0.3), 0, 2))
    mixed = saturation * np.eye(3) + (1 - saturation) * np.array([0.114, 0.587, 0.299])
    light = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.07, 3))
    contrast, gamma, offset = np.exp(rng.normal(0, 0.16)), np.exp(rng.normal(0, 0.2)), rng.normal(0, 14)
    tones = 128 + contrast * (np.arange(256)[:, None] * light - 128) + offset
    curve = 255 * (np.clip(tones, 0, 255) / 255) ** gamma
    colored = cv2.transform(image, mixed.astype(np.float32))
    return np.asarray(cv2.LUT(colored, curve.astype(np.uint8)[None]), np.uint8)


@functools.cache
def _unit_noise() -> NDArray[np.float32]:
    """A long vector of Gaussian noise; each image uses a slice at a random offset."""
    return np.random.default_rng(13).standard_normal(1 << 21, np.float32)


def _add_noise(image: Image, rng: np.random.Generator) -> Image:
    noise, begin = _unit_noise(), int(rng.integers((1 << 21) - image.size))
    strength = np.float32(np.exp(rng.uniform(0, np.log(16))))
    scaled = (strength * noise[begin : begin + image.size]).reshape(image.shape)
    return np.asarray(cv2.add(image, scaled, dtype=cv2.CV_8U), np.uint8)


def _shading(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """(side, side, 1) brightness factors of a shadow or a bright area with a soft or sharp edge."""
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8) * side
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    along = (x - side / 2) * np.cos(angle) + (y - side / 2) * np.sin(angle) + side / 2 - place
    weight = 0.5 + 0.5 * np.tanh(along / rng.uniform(1.0, side / 2))
    return (1 + rng.uniform(-0.6, 0.5) * weight).astype(np.float32)[..., None]


def _blur(image: Image, rng: np.random.Generator) -> Image:
    scale = min(1.0, len(image) / _SHARP_SIDE)
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), scale * float(rng.uniform(0.3, 2.2))), np.uint8)
    length = max(3, round(scale * int(rng.integers(3, 10))))
    kernel = np.zeros((length, length), np.float32)
    reach = np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    ends = np.round([middle - reach, middle + reach]).astype(int)
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _reduce_resolution(image: Image, rng: np.random.Generator) -> Image:
    side = len(image)
    small = int(side / np.exp(rng.uniform(0, np.log(3.5))))
    reduced = cv2.resize(image, (small, small), interpolation=int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR])))
    enlarged = cv2.resize(reduced, (side, side), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    return np.asarray(enlarged, np.uint8)


def _compress(image: Image, rng: np.random.Generator) -> Image:
    quality = int(rng.integers(20, 95))
    if quality % 4 == 0:  # a quarter of the images are frames of a video of similar quality
        return video_frame(image, 22 - 0.21 * quality)
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.uint8, copy=False)
