"""Batches for training the fusion: rare expressions are sampled more often, and all inputs are augmented."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from face_expr_ros.core.portrait_score import CLEAR
from face_expr_ros.perception.expression.patches import SIDE
from face_expr_ros.training.expression.graded.faces import Faces, Floats, mirrored_faces
from face_expr_ros.training.expression.samples import Mirror, add_missed_movements

_NOISE = 0.02  # standard deviation of the noise on the points, centimeters
_GAMMA = 0.3
_NOISY, _SENSOR = 0.3, 8.0  # fraction of the batches with sensor noise; its maximum standard deviation, gray levels
_SOFT = 0.2  # fraction of the batches that are blurred
_HIDDEN, _SPOT = 0.3, (6, 20)  # fraction of the faces with an occluded rectangle in one patch; its sides, pixels
# Standard deviations of each patch's rotation (radians), scale, and shift (half sides of the patch with its margin).
_TURN, _SIZE, _SHIFT, _LARGEST_SHIFT = 0.07, 0.05, 0.035, 0.12


class Sampler:
    """Samples groups of faces, weighted by their rarest clear expression, and one random face of each group."""

    def __init__(self, faces: Faces, graded: bool, rng: np.random.Generator) -> None:
        self._rng = rng
        order = np.argsort(faces.group, kind="stable")
        self._groups = np.split(order, np.flatnonzero(np.diff(faces.group[order])) + 1)
        first = np.array([group[0] for group in self._groups])
        chances = rarity(faces.truth[first]) if graded else np.array([len(group) for group in self._groups], float)
        self._chances = chances / chances.sum()

    def __call__(self, count: int) -> NDArray[np.int64]:
        """(count,) indices of faces."""
        groups = self._rng.choice(len(self._groups), count, p=self._chances)
        return np.array([self._rng.choice(self._groups[group]) for group in groups])


def rarity(grades: Floats) -> NDArray[np.float64]:
    """(N,) sampling weights: 1 for faces without a clear expression, up to 3 for faces with a rare one."""
    clear = np.nan_to_num(grades) >= CLEAR
    frequency = clear.mean(axis=0) + 1e-3
    return 1.0 + np.minimum((clear / np.sqrt(frequency)).max(axis=1) / 5.0, 2.0)


class Disturber:
    """Augments faces and converts them to tensors; patches are cropped at random within their margins.

    Args:
        movements: (E, F) true changes of the features of rendered faces, see `samples.missed_movements`.
    """

    def __init__(self, mirror: Mirror, movements: Floats, seed: int) -> None:
        self._mirror, self._movements = mirror, movements
        self._rng = np.random.default_rng([seed, 31])
        self._torch = torch.Generator().manual_seed(seed)

    def mirrored(self, faces: Faces, graded: bool) -> Faces:
        """The faces, mirrored in half of the batches."""
        return faces if self._rng.random() >= 0.5 else mirrored_faces(faces, self._mirror, graded)

    def followed(self, faces: Faces) -> Floats:
        """Features of rendered faces with some of the movements added that FaceMesh misses."""
        return add_missed_movements(faces.features, np.asarray(faces.truth), self._movements, self._rng)

    def features(self, features: Floats) -> torch.Tensor:
        """Features with noise, except on the direction to the viewer."""
        seen = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
        noise = _NOISE * torch.randn(seen.shape, generator=self._torch)
        noise[:, -3:] = 0.0
        return seen + noise

    def patches(self, patches: NDArray[np.uint8]) -> torch.Tensor:
        """Patches with a random rotation, scale and shift each, a gamma per face, occluded rectangles, and in some
        batches sensor noise or blur."""
        seen = self._jittered(torch.from_numpy(np.ascontiguousarray(patches)).float())
        gamma = np.exp(self._rng.normal(0, _GAMMA, (len(seen), 1, 1, 1))).astype(np.float32)
        seen = 255.0 * (seen / 255.0).clamp(0.0, 1.0) ** torch.from_numpy(gamma)
        if self._rng.random() < _NOISY:
            seen = seen + _SENSOR * self._rng.random() * torch.randn(seen.shape, generator=self._torch)
        if self._rng.random() < _SOFT:
            seen = functional.avg_pool2d(seen, 3, stride=1, padding=1, count_include_pad=False)
        self._hide(seen)
        return seen.contiguous(memory_format=torch.channels_last)

    def _jittered(self, patches: torch.Tensor) -> torch.Tensor:
        """(n, P, SIDE, SIDE) cropped from patches (n, P, S, S) with their margins."""
        count, parts, side, _ = patches.shape
        turn = self._rng.normal(0, _TURN, count * parts)
        across, down = SIDE / side * np.exp(self._rng.normal(0, _SIZE, (2, count * parts)))
        x, y = np.clip(self._rng.normal(0, _SHIFT, (2, count * parts)), -_LARGEST_SHIFT, _LARGEST_SHIFT)
        rows = [[across * np.cos(turn), -down * np.sin(turn), x], [across * np.sin(turn), down * np.cos(turn), y]]
        maps = torch.from_numpy(np.array(rows, np.float32).transpose(2, 0, 1))
        grid = functional.affine_grid(maps, [count * parts, 1, SIDE, SIDE], align_corners=False)
        images = patches.reshape(-1, 1, side, side)
        cut = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return cut.reshape(count, parts, SIDE, SIDE)

    def estimates(self, faces: Faces, dropout: float) -> tuple[torch.Tensor, torch.Tensor]:
        """The estimates of the fit and the head; each is set to zero with the probability ``dropout``."""
        kept = self._rng.random((2, len(faces.fit), 1)) >= dropout
        fit, head = (
            torch.from_numpy(np.asarray(part * here, np.float32))
            for part, here in zip((faces.fit, faces.head), kept, strict=True)
        )
        return fit, head

    def _hide(self, seen: torch.Tensor) -> None:
        for index in np.flatnonzero(self._rng.random(len(seen)) < _HIDDEN):
            height, width = self._rng.integers(*_SPOT, 2)
            top, left = self._rng.integers(0, SIDE - height), self._rng.integers(0, SIDE - width)
            patch = self._rng.integers(seen.shape[1])
            seen[index, patch, top : top + height, left : left + width] = float(self._rng.uniform(0, 255))
