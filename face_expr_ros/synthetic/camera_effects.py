"""What a camera adds to a rendered image: defocus, vignetting, sensor noise, sharpening, JPEG and video compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels.rasterizer import ENCODED, LINEAR

Image = NDArray[np.uint8]

_LARGEST_DISK = 24  # pixels; radius of the largest disk of confusion
_BLOCK = 8  # pixels; side of the blocks of JPEG and of most video codecs


@dataclass(frozen=True)
class CameraEffects:
    """Effects of one camera.

    Attributes:
        vignetting: darkening in the corners, 0..1.
        softness: standard deviation of the blur of lens and demosaicing, pixels.
        sharpening: factor on the detail that the camera's processing adds.
        read_noise: standard deviation in gray levels; shot_noise: at white, growing with the square root of the light.
        jpeg_quality: 1..100.
        video_quantizer: strength of a video codec's quantization; 0 is no video.
    """

    vignetting: float = 0.1
    softness: float = 0.5
    sharpening: float = 0.3
    read_noise: float = 0.8
    shot_noise: float = 2.5
    jpeg_quality: int = 92
    video_quantizer: float = 0.0

    @staticmethod
    def random(rng: np.random.Generator) -> CameraEffects:
        """From a good camera to a webcam in poor light; a quarter of the images are frames of compressed video."""
        poor = float(rng.random() ** 2)
        return CameraEffects(
            vignetting=float(rng.uniform(0, 0.25)),
            softness=float(rng.uniform(0.3, 0.6) + 0.5 * poor),
            sharpening=float(rng.uniform(0, 0.8)),
            read_noise=float(rng.uniform(0.3, 1.0) + 3.0 * poor),
            shot_noise=float(rng.uniform(0.5, 2.5) + 4.0 * poor),
            jpeg_quality=int(rng.integers(60, 98)),
            video_quantizer=float(rng.uniform(4, 22)) if rng.random() < 0.25 else 0.0,
        )

    def apply(self, image: Image, rng: np.random.Generator) -> Image:
        """The image (h, w, 3) as the camera delivers it."""
        light = image.astype(np.float32)
        if self.vignetting > 0:
            light *= _vignette(image.shape[0], image.shape[1], self.vignetting)[..., None]
        light = cv2.GaussianBlur(light, (0, 0), self.softness)
        light += _sensor_noise(light, self.read_noise, self.shot_noise, rng)
        if self.sharpening > 0:
            light += self.sharpening * (light - cv2.GaussianBlur(light, (0, 0), 1.2))
        seen = np.clip(light, 0, 255).astype(np.uint8)
        if self.video_quantizer > 0:
            return video_frame(seen, self.video_quantizer)
        encoded = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])[1]
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.uint8, copy=False)


def _vignette(height: int, width: int, strength: float) -> NDArray[np.float32]:
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    factor: NDArray[np.float32] = (1 - strength * (x * x + y * y) / 2).astype(np.float32)
    return factor


def _sensor_noise(
    light: NDArray[np.float32], read: float, shot: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise of a sensor: a part that all channels share, and a smoother colored part, as after demosaicing."""
    sigma = np.sqrt(read**2 + shot**2 * np.maximum(light.mean(axis=2, keepdims=True), 0) / 255)
    gray = rng.standard_normal((*light.shape[:2], 1), np.float32)
    color = cv2.GaussianBlur(rng.standard_normal(light.shape, np.float32), (0, 0), 0.9) * np.float32(2.2)
    noise: NDArray[np.float32] = sigma * (np.float32(0.8) * gray + np.float32(0.45) * color)
    return noise


def video_frame(image: Image, quantizer: float) -> Image:
    """A frame of compressed video: halved color resolution, coarsely quantized blocks with smoothed edges."""
    height, width = image.shape[:2]
    tall, wide = (-(-n // (2 * _BLOCK)) * 2 * _BLOCK for n in (height, width))
    padded = cv2.copyMakeBorder(image, 0, tall - height, 0, wide - width, cv2.BORDER_REPLICATE)
    planes = cv2.cvtColor(padded, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    luma = _quantized(planes[..., 0], quantizer)
    half = cv2.resize(planes[..., 1:], (wide // 2, tall // 2), interpolation=cv2.INTER_AREA)
    chroma = [_quantized(np.ascontiguousarray(half[..., k]), quantizer) for k in range(2)]
    chroma = [cv2.resize(plane, (wide, tall), interpolation=cv2.INTER_LINEAR) for plane in chroma]
    decoded = cv2.cvtColor(np.clip(np.dstack([luma, *chroma]), 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR)
    return np.asarray(decoded[:height, :width], np.uint8)


def _quantized(plane: NDArray[np.float32], quantizer: float) -> NDArray[np.float32]:
    """A plane whose discrete cosine coefficients are multiples of a step that grows with the frequency."""
    rows, columns = (n // _BLOCK for n in plane.shape)
    blocks = plane.reshape(rows, _BLOCK, columns, _BLOCK).transpose(0, 2, 1, 3)
    k = np.arange(_BLOCK)
    basis = np.cos(np.pi * (2 * k[None] + 1) * k[:, None] / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    basis[0] /= np.sqrt(2)
    basis = basis.astype(np.float32)
    step = np.float32(quantizer) * (0.5 + 0.18 * (k[:, None] + k[None])).astype(np.float32)
    coefficients = basis @ blocks @ basis.T
    coefficients = np.fix(coefficients / step + 0.33 * np.sign(coefficients)) * step  # with a dead zone around 0
    coded = (basis.T @ coefficients @ basis).transpose(0, 2, 1, 3).reshape(plane.shape)
    return _deblocked(np.ascontiguousarray(coded, np.float32), quantizer)


def _deblocked(plane: NDArray[np.float32], quantizer: float) -> NDArray[np.float32]:
    """Smooth the small steps at the edges of blocks, as a codec's loop filter does; edges of the image stay."""
    for axis in (0, 1):
        turned = np.moveaxis(plane, axis, 0)
        before, after = turned[_BLOCK - 1 : -1 : _BLOCK], turned[_BLOCK::_BLOCK]
        step = (after - before) * (np.abs(after - before) < 1.5 * quantizer)
        before += step / 4
        after -= step / 4
    return plane


def defocused(image: Image, radius: float) -> Image:
    """An image out of focus: highlights become disks, because light is averaged, not gray levels."""
    size = int(min(np.ceil(radius), _LARGEST_DISK))
    if size < 1:
        return image
    y, x = np.mgrid[-size : size + 1, -size : size + 1]
    disk = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    light = cv2.filter2D(LINEAR[image], -1, disk / disk.sum(), borderType=cv2.BORDER_REFLECT)
    return ENCODED[np.clip(light * (len(ENCODED) - 1), 0, len(ENCODED) - 1).astype(np.intp)]


def with_depth_of_field(image: Image, depth: NDArray[np.float32], focus: float, aperture: float) -> Image:
    """Blur an image by its depth.

    Args:
        depth: (h, w) meters along the optical axis, inf where there is only background, which stays as it is.
        focus: depth in focus, meters.
        aperture: radius in pixels of the disk of confusion of a point far behind a focus at one meter.
    """
    with np.errstate(divide="ignore"):
        radius = np.where(np.isfinite(depth), aperture * np.abs(1 / depth - 1 / focus), 0.0).astype(np.float32)
    radius = cv2.GaussianBlur(radius, (0, 0), 2.0)
    levels = [image, defocused(image, 1.0), defocused(image, 2.0), defocused(image, 4.0)]
    result = image.astype(np.float32)
    for (low, high), level in zip(((0.0, 1.0), (1.0, 2.0), (2.0, 4.0)), levels[1:], strict=True):
        share = np.clip((radius - low) / (high - low), 0, 1)[..., None]
        result += share * (level - result)
    return result.round().astype(np.uint8)
