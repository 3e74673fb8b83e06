"""Training samples: rendered faces with random similarity, mirroring, background, occlusions and degradation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.mirror import mirrored_parameters
from face_expr_ros.training.backgrounds import random_background, random_texture
from face_expr_ros.training.degradation import degrade
from face_expr_ros.training.tddfa.points import LearnedPoints
from face_expr_ros.training.tddfa.scenes import MARGIN, SIDE
from face_expr_ros.training.tddfa.shards import Shard

Image = NDArray[np.uint8]

_BACKGROUNDS = 1500
_MIRROR = np.array([[-1.0, 0.0, SIDE - 1.0], [0.0, 1.0, 0.0]])
_PHOTOGRAPHED = 0.5  # fraction of photographed backgrounds, if there are any
_NO_FACE = 0.08  # fraction of negative samples
_NEGATIVE_OFFSET = 0.75  # in crop sides: a face at least this far from the center makes a negative sample


@dataclass(frozen=True)
class Sample:
    """Input and targets of one training sample.

    Attributes:
        image: (size, size, 3) uint8 BGR.
        parameters: (12 + I + E,) in TDDFA's convention for this crop.
        points: (P, 2) pixels of the learned points.
        face: whether the crop shows a face; if not, parameters and points are undefined.
    """

    image: Image
    parameters: NDArray[np.float32]
    points: NDArray[np.float32]
    face: bool


class Sampler:
    """Creates random samples from rendered faces.

    Args:
        points: the learned points, for mirrored samples.
        size: width and height of the samples, pixels.
        seed: seed of the random generator.
        surroundings: (N, s, s, 3) uint8 photographed backgrounds, for half of the samples; may be None.
    """

    def __init__(
        self, points: LearnedPoints, size: int, seed: int, surroundings: NDArray[np.uint8] | None = None
    ) -> None:
        self._points = points
        self._size = size
        self._rng = np.random.default_rng([seed, 11])
        self._backgrounds = [random_background(self._rng, size) for _ in range(_BACKGROUNDS)]
        photographs: list[Image] = [] if surroundings is None else list(surroundings)
        self._surroundings = [cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in photographs]

    def __call__(self, shard: Shard, index: int) -> Sample:
        """A random sample of rendering ``index`` of a shard."""
        rng = self._rng
        rendering, parameters, points = shard.images[index], shard.parameters[index], shard.points[index]
        transform = self._random_transform()
        if mirrored := rng.random() < 0.5:
            parameters, points = mirror(parameters, points, self._points)
        if face := rng.random() >= _NO_FACE:
            parameters, points = move(parameters, points, transform, self._size)
        else:
            transform = self._negative_transform(transform)
        if mirrored:
            transform = transform @ np.vstack([_MIRROR, [0, 0, 1]])
        return Sample(self._compose(rendering, transform), parameters, points, face)

    def _random_transform(self) -> NDArray[np.float64]:
        """(2, 3) similarity from a rendering to a sample, with the errors of a crop tracked from the last frame."""
        rng = self._rng
        scale = self._size / SIDE * MARGIN * np.exp(rng.normal(0, 0.09))
        angle = rng.normal(0, np.radians(14)) if rng.random() < 0.8 else rng.uniform(-1, 1) * np.radians(45)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = (self._size - 1) / 2 + rng.normal(0, 0.04, 2) * self._size
        return np.column_stack([linear, middle - linear @ np.full(2, (SIDE - 1) / 2)])

    def _negative_transform(self, transform: NDArray[np.float64]) -> NDArray[np.float64]:
        """A transform of a negative sample: the face is outside, at the edge, or much too small or too large."""
        rng = self._rng
        factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(1.0, 1.6))) if rng.random() < 0.4 else 1.0
        angle = rng.uniform(0, 2 * np.pi)
        offset = (_NEGATIVE_OFFSET + rng.exponential(0.5)) * self._size * np.array([np.cos(angle), np.sin(angle)])
        moved = transform * factor
        moved[:, 2] += (1 - factor) * (self._size - 1) / 2 + (offset if factor == 1.0 else 0.0)
        return moved

    def _compose(self, rendering: Image, transform: NDArray[np.float64]) -> Image:
        rng = self._rng
        size = (self._size, self._size)
        warped = cv2.warpAffine(rendering, transform, size, flags=cv2.INTER_LINEAR)
        uncovered = cv2.merge([255 - warped[..., 3]] * 3)
        image = cv2.add(warped[..., :3], cv2.multiply(self._background(), uncovered, scale=1 / 255))
        for _ in range(int(rng.choice([0, 1, 2], p=[0.7, 0.22, 0.08]))):
            image = self._occlude(image)
        return degrade(image, rng)

    def _background(self) -> Image:
        if self._surroundings and self._rng.random() < _PHOTOGRAPHED:
            image = self._surroundings[int(self._rng.integers(len(self._surroundings)))]
            return np.asarray(image if self._rng.random() < 0.5 else image[:, ::-1])
        image = self._backgrounds[int(self._rng.integers(len(self._backgrounds)))]
        return np.asarray(np.rot90(image, int(self._rng.integers(4))))

    def _occlude(self, image: Image) -> Image:
        """Add an occluder: a textured ellipse, sometimes with a bar, mostly near the edge of the image."""
        rng, side = self._rng, self._size
        mask = np.zeros((side, side), np.uint8)
        angle = rng.uniform(0, 2 * np.pi)
        center = side / 2 + side * rng.uniform(0.25, 0.65) * np.array([np.cos(angle), np.sin(angle)])
        axes = tuple(float(a) for a in side * np.exp(rng.uniform(np.log(0.05), np.log(0.35), 2)))
        cv2.ellipse(mask, (tuple(center), axes, float(rng.uniform(0, 180))), 255, -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            end = center + side * rng.uniform(0.2, 0.8) * np.array([np.cos(angle), np.sin(angle)])
            thickness = int(rng.integers(3, max(4, side // 5)))
            cv2.line(mask, tuple(map(int, center)), tuple(map(int, end)), 255, thickness, cv2.LINE_AA)
        opacity = cv2.merge([mask] * 3)
        texture = random_texture(rng, side) if rng.random() < 0.7 else self._background()
        occluder = cv2.multiply(texture, opacity, scale=1 / 255)
        return np.asarray(cv2.add(occluder, cv2.multiply(image, 255 - opacity, scale=1 / 255)), np.uint8)


def mirror(
    parameters: NDArray[np.float32], points: NDArray[np.float32], learned: LearnedPoints
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Parameters and points of the mirror image of a rendering of SIDE x SIDE pixels."""
    flipped = points[learned.mirror] * np.array([-1, 1]) + np.array([SIDE - 1, 0])
    return mirrored_parameters(parameters, learned.coefficients, SIDE), flipped.astype(np.float32)


def move(
    parameters: NDArray[np.float32], points: NDArray[np.float32], transform: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Parameters and points after a similarity (2, 3) from a rendering of side SIDE to a crop of side ``size``."""
    matrix = parameters[:12].reshape(3, 4).astype(np.float64)
    scale = np.sqrt(abs(np.linalg.det(transform[:, :2])))
    origin = transform @ [matrix[0, 3] - 1, SIDE - matrix[1, 3], 1.0]
    upright = transform[:, :2] * np.array([[1, -1], [-1, 1]])  # the same rotation with y up
    rotated = np.vstack([upright @ matrix[:2, :3], scale * matrix[2:, :3]])
    moved = np.column_stack([rotated, [origin[0] + 1, size - origin[1], 0.0]])
    pixels = points @ transform[:, :2].T + transform[:, 2]
    return np.concatenate([moved.ravel(), parameters[12:]]).astype(np.float32), pixels.astype(np.float32)
