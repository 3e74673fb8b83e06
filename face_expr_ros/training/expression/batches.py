"""Training batches: portraits of several people, each with a neutral portrait where available, augmented at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from face_expr_ros.perception.expression.patches import SIDE
from face_expr_ros.training.expression.samples import MARGIN, Mirror, Samples, add_missed_movements, is_neutral

_LANDMARK_NOISE = 0.02  # standard deviation, centimeters, in addition to FaceMesh's own error
_LOG_GAMMA_STD = 0.45  # standard deviation of the logarithm of the patches' gamma
_NOISE_PROBABILITY, _MAX_NOISE_STD = 0.3, 8.0  # per batch; maximum standard deviation of image noise, gray levels
_BLUR_PROBABILITY = 0.2  # per batch
_CUTOUT_PROBABILITY, _CUTOUT_SIDES = 0.2, (6, 20)  # per patch; range of the sides of a constant rectangle, pixels


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of a training step.

    Attributes:
        features: (n, FEATURES). patches: (n, P, SIDE, SIDE) gray levels.
        expression: (n, E) target blendshapes, NaN where unknown.
        neutral: (n,) index in the batch of a neutral portrait of the same person; arbitrary where ``known`` is 0.
        known: (n, 1) 1 where a neutral portrait is available, else 0.
    """

    features: torch.Tensor
    patches: torch.Tensor
    expression: torch.Tensor
    neutral: torch.Tensor
    known: torch.Tensor


class Batches:
    """An endless iterable of batches.

    Args:
        people, moments: people per batch and portraits per person; a neutral portrait is added to each person who has
            one.
        movements: (E, M) landmark movements for `add_missed_movements`; None leaves the features unchanged.
    """

    def __init__(
        self,
        samples: Samples,
        names: tuple[str, ...],
        mirror: Mirror,
        people: int,
        moments: int,
        seed: int,
        movements: NDArray[np.float32] | None = None,
    ) -> None:
        self._samples, self._mirror, self._movements = samples, mirror, movements
        self._people, self._moments = people, moments
        self._rng = np.random.default_rng([seed, 23])
        self._torch = torch.Generator().manual_seed(seed)
        self._portraits = _by_person(samples, names)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self._augment(*self._sample())

    def _sample(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Indices of portraits, and for each the batch index of the person's neutral portrait and whether it exists."""
        chosen: list[int] = []
        neutral: list[int] = []
        known: list[bool] = []
        for person in self._rng.integers(len(self._portraits), size=self._people):
            neutrals, moments = self._portraits[person]
            first, has_neutral = len(chosen), len(neutrals) > 0
            if has_neutral:
                chosen.append(int(self._rng.choice(neutrals)))
                neutral.append(first)
                known.append(False)
            picked = self._rng.choice(moments, self._moments).tolist() if len(moments) else []
            chosen += picked
            neutral += [first] * len(picked)
            known += [has_neutral] * len(picked)
        return np.array(chosen), np.array(neutral), np.array(known, np.float32)

    def _augment(self, chosen: NDArray[np.int64], neutral: NDArray[np.int64], known: NDArray[np.float32]) -> Batch:
        samples, mirror, rng = self._samples, self._mirror, self._rng
        features, expression = samples.features[chosen], samples.expression[chosen]
        if self._movements is not None:
            features = add_missed_movements(features, expression, self._movements, rng)
        patches = samples.patches[chosen]
        if rng.random() < 0.5:  # the whole batch, so that a portrait and its neutral portrait are mirrored alike
            features, expression = features[:, mirror.features] * mirror.sign, expression[:, mirror.expression]
            patches = patches[:, mirror.patches]
            patches[:, mirror.flipped] = patches[:, mirror.flipped, :, ::-1]
        down, across = rng.integers(0, 2 * MARGIN + 1, 2)
        cut = patches[:, :, down : down + SIDE, across : across + SIDE]
        clean = torch.from_numpy(features)
        return Batch(
            features=clean + _LANDMARK_NOISE * torch.randn(clean.shape, generator=self._torch),
            patches=self._augment_patches(cut),
            expression=torch.from_numpy(expression),
            neutral=torch.from_numpy(neutral),
            known=torch.from_numpy(known)[:, None],
        )

    def _augment_patches(self, patches: NDArray[np.uint8]) -> torch.Tensor:
        """Random gamma per portrait and cutouts; blur and sensor noise in some batches.

        Real faces differ from synthetic ones in appearance, so the network must not rely on single pixels.
        """
        gamma = np.exp(self._rng.normal(0, _LOG_GAMMA_STD, (len(patches), 1)))
        curves = (255 * np.linspace(0, 1, 256) ** gamma).astype(np.float32)
        adjusted = np.stack([curve[patch] for curve, patch in zip(curves, patches, strict=True)])
        self._cut_out(adjusted.reshape(-1, SIDE, SIDE))
        augmented = torch.from_numpy(adjusted)
        if self._rng.random() < _BLUR_PROBABILITY:
            augmented = functional.avg_pool2d(augmented, 3, stride=1, padding=1, count_include_pad=False)
        if self._rng.random() >= _NOISE_PROBABILITY:
            return augmented
        noise = _MAX_NOISE_STD * torch.rand((len(augmented), 1, 1, 1), generator=self._torch)
        return augmented + noise * torch.randn(augmented.shape, generator=self._torch)

    def _cut_out(self, patches: NDArray[np.float32]) -> None:
        """Fill a rectangle of some of the patches (n, SIDE, SIDE) with a constant gray level, in place."""
        chosen = np.flatnonzero(self._rng.random(len(patches)) < _CUTOUT_PROBABILITY)
        sides = self._rng.integers(*_CUTOUT_SIDES, (len(chosen), 2))
        places = (self._rng.random((len(chosen), 2)) * (SIDE - sides)).astype(int)
        grays = self._rng.uniform(0, 255, len(chosen))
        for index, (height, width), (top, left), gray in zip(chosen, sides, places, grays, strict=True):
            patches[index, top : top + height, left : left + width] = gray


def _by_person(samples: Samples, names: tuple[str, ...]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each person the indices of the neutral portraits and of the others."""
    neutral = is_neutral(samples.expression, names)
    order = np.argsort(samples.person, kind="stable")
    people = np.split(order, np.flatnonzero(np.diff(samples.person[order])) + 1)
    return [(portraits[neutral[portraits]], portraits[~neutral[portraits]]) for portraits in people]
