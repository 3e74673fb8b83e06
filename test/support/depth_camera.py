"""A simulated structured-light camera that is aligned with the color camera: noise, quantization, holes and shadows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Camera, DepthImage
from face_expr_ros.drawing.lighting import Light
from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic import scene as scenes

BASELINE = 0.075  # meters between projector and camera, as of a Kinect
DISPARITY_NOISE, DISPARITY_STEP = 0.15, 0.125  # pixels
BACKGROUND = 2.0  # meters
HOLES = 0.08  # share of pixels without depth, in blobs
EDGE = 0.02  # meters of difference to a neighbor from which a pixel is lost or between the two
MIN_FACING = 0.25


def exact_depth(people: Sequence[scenes.SceneFace], camera: Camera) -> NDArray[np.float32]:
    """(height, width) meters along the optical axis; the wall behind the people is parallel to the image."""
    target = rasterizer.Target(camera.width, camera.height, 1)
    first = 0
    for layer in scenes._all_layers(people, camera, Light()):
        rasterizer.draw(target, layer.pixels, layer.solid.triangles, first=first)
        first += len(layer.solid.triangles)
    inverse = target.inverse_depth
    return np.where(inverse > 0, 1 / np.maximum(inverse, 1e-6), BACKGROUND).astype(np.float32)


def structured_light(exact: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """What such a camera delivers for exact depths: meters, NaN in holes."""
    focal = float(camera.matrix[0, 0])
    noise = cv2.GaussianBlur(rng.normal(0, 1, exact.shape), (5, 5), 1.2)
    disparity = focal * BASELINE / exact + noise * (DISPARITY_NOISE / noise.std())
    measured = focal * BASELINE / (np.round(disparity / DISPARITY_STEP) * DISPARITY_STEP)
    measured[_shadow(exact, focal) | _oblique(exact, focal) | _blobs(exact.shape, rng)] = np.nan
    edge = cv2.dilate(exact, np.ones((5, 5))) - cv2.erode(exact, np.ones((5, 5))) > EDGE
    flying = rng.random(exact.shape) < 0.5
    between = cv2.blur(exact, (9, 9))
    return np.where(edge, np.where(flying, between, np.nan), measured).astype(np.float32)


def as_message_values(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Millimeters as of 16UC1, 0 in holes."""
    return np.nan_to_num(np.round(depth * 1000), nan=0.0).astype(np.uint16)


def depth_image(depth: NDArray[np.float32], camera: Camera, stamp_ns: int) -> DepthImage:
    return DepthImage(as_message_values(depth), 0.001, stamp_ns, (camera.width, camera.height))


def _shadow(exact: NDArray[np.float32], focal: float) -> NDArray[np.bool_]:
    """Where the projector, to the right of the camera, is occluded."""
    disparity = focal * BASELINE / exact
    columns = np.arange(exact.shape[1]) + disparity  # of the projected pattern
    blocked = np.minimum.accumulate(columns[:, ::-1], axis=1)[:, ::-1]
    return columns > blocked + 1.0


def _oblique(exact: NDArray[np.float32], focal: float) -> NDArray[np.bool_]:
    smooth = cv2.GaussianBlur(exact, (5, 5), 1.5)
    slopes = [cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) * focal / exact for order in ((1, 0), (0, 1))]
    return 1 / np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2) < MIN_FACING


def _blobs(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    noise = cv2.GaussianBlur(rng.normal(0, 1, shape), (0, 0), 4)
    return noise > np.quantile(noise, 1 - HOLES)
