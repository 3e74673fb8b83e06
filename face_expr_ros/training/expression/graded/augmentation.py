"""Augmentation of portraits: geometry, resolution, lighting, blur, sensor noise and JPEG compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray

Image = NDArray[np.uint8]

_ROLL, _ZOOM, _SHIFT = 8.0, 0.08, 0.03  # standard deviations: degrees, logarithm, fraction of the width
_SMALLEST = 0.28  # minimum factor by which images are downsampled
_GAMMA, _GAIN, _TINT, _SLOPE = 0.3, 0.12, 0.06, 0.25


def mirrored(image: Image) -> tuple[Image, FloatArray]:
    """The mirror image, and the transform (3, 3) from pixels of the image to pixels of the mirror image."""
    across = np.array([[-1.0, 0.0, image.shape[1] - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return np.ascontiguousarray(image[:, ::-1]), across


def augmented(image: Image, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    """A randomly augmented copy, and the transform (3, 3) from pixels of the image to pixels of the copy.

    Half of the copies are mirrored; their transforms have a negative determinant.
    """
    image, transform = mirrored(image) if rng.random() < 0.5 else (image, np.eye(3))
    image, moved = _moved(image, rng)
    image, scaled = altered(image, rng)
    return image, scaled @ moved @ transform


def altered(image: Image, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    """A copy with a random resolution, blur, lighting, noise and compression, and its transform (3, 3), a scale."""
    image, scaled = _scaled(image, rng)
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    return _compressed(_lit(image, rng), rng), scaled


def _moved(image: Image, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    height, width = image.shape[:2]
    angle, zoom = rng.normal(0, _ROLL), float(np.exp(rng.normal(0, _ZOOM)))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom)
    matrix[:, 2] += rng.normal(0, _SHIFT, 2) * width
    moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8), np.vstack([matrix, [0.0, 0.0, 1.0]])


def _scaled(image: Image, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    """Downsampled with a probability of 0.6."""
    if rng.random() >= 0.6:
        return image, np.eye(3)
    height, width = image.shape[:2]
    factor = float(np.exp(rng.uniform(np.log(_SMALLEST), 0.0)))
    small = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.diag([small.shape[1] / width, small.shape[0] / height, 1.0])


def _lit(image: Image, rng: np.random.Generator) -> Image:
    """With random gamma, gain, color, horizontal light gradient and sensor noise."""
    shown = 255.0 * (image / 255.0) ** np.exp(rng.normal(0, _GAMMA))
    shown = shown * np.exp(rng.normal(0, _GAIN)) * np.exp(rng.normal(0, _TINT, 3))
    if rng.random() < 0.2:
        shown = np.repeat(shown.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.3:
        shown = shown * np.exp(np.linspace(-1, 1, shown.shape[1])[None, :, None] * rng.normal(0, _SLOPE))
    if rng.random() < 0.5:
        shown = shown + rng.normal(0, rng.uniform(1, 8), shown.shape)
    return np.clip(shown, 0, 255).astype(np.uint8)


def _compressed(image: Image, rng: np.random.Generator) -> Image:
    """Compressed as JPEG with a probability of 0.7."""
    if rng.random() >= 0.7:
        return image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(30, 95))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)
