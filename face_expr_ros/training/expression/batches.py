"""Batches for the head: several people, each at rest and in other moments, mirrored and shifted at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from face_expr_ros.perception.expression.patches import SIDE
from face_expr_ros.training.expression.samples import MARGIN, Mirror, Samples, at_rest, followed

_NOISE = 0.02  # centimeters of the points, besides what FaceMesh itself errs
_GAMMA = 0.45  # spread of the logarithm of the patches' gamma
_NOISY, _SENSOR = 0.3, 8.0  # of the batches; standard deviation of noise at most, gray levels
_SOFT = 0.2  # of the batches are out of focus
_HIDDEN, _SPOT = 0.2, (6, 20)  # of the patches have a spot that shows nothing; its sides, pixels


@dataclass(frozen=True)
class Batch:
    """What the network sees and should answer.

    Attributes:
        features: (n, FEATURES). patches: (n, P, SIDE, SIDE) gray levels.
        expression: (n, E) truth, NaN where it is not known.
        rest: (n,) where in the batch the same person is at rest; itself where ``known`` is 0.
        known: (n, 1) 1 where there is such a portrait, else 0.
    """

    features: torch.Tensor
    patches: torch.Tensor
    expression: torch.Tensor
    rest: torch.Tensor
    known: torch.Tensor


class Batches:
    """Endless batches.

    Args:
        people, moments: of a batch; each person is there once more, at rest, where that was drawn.
        movements: (E, F) how the first F features truly change with each blendshape; None leaves features as they are.
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
            yield self._augmented(*self._draw())

    def _draw(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Which portraits, and for each the place of the person's rest and whether it is one."""
        chosen: list[int] = []
        rest: list[int] = []
        known: list[bool] = []
        for person in self._rng.integers(len(self._portraits), size=self._people):
            rests, moments = self._portraits[person]
            first, has_rest = len(chosen), len(rests) > 0
            if has_rest:
                chosen.append(int(self._rng.choice(rests)))
                rest.append(first)
                known.append(False)
            picked = self._rng.choice(moments, self._moments).tolist() if len(moments) else []
            chosen += picked
            rest += [first] * len(picked)
            known += [has_rest] * len(picked)
        return np.array(chosen), np.array(rest), np.array(known, np.float32)

    def _augmented(self, chosen: NDArray[np.int64], rest: NDArray[np.int64], known: NDArray[np.float32]) -> Batch:
        samples, mirror, rng = self._samples, self._mirror, self._rng
        features, expression = samples.features[chosen], samples.expression[chosen]
        if self._movements is not None:
            features = followed(features, expression, self._movements, rng)
        patches = samples.patches[chosen]
        if rng.random() < 0.5:  # all of a batch: a person is compared with its own rest
            features, expression = features[:, mirror.features] * mirror.sign, expression[:, mirror.expression]
            patches = patches[:, mirror.patches]
            patches[:, mirror.turned] = patches[:, mirror.turned, :, ::-1]
        down, across = rng.integers(0, 2 * MARGIN + 1, 2)
        cut = patches[:, :, down : down + SIDE, across : across + SIDE]
        seen = torch.from_numpy(features)
        return Batch(
            features=seen + _NOISE * torch.randn(seen.shape, generator=self._torch),
            patches=self._disturbed(cut),
            expression=torch.from_numpy(expression),
            rest=torch.from_numpy(rest),
            known=torch.from_numpy(known)[:, None],
        )

    def _disturbed(self, patches: NDArray[np.uint8]) -> torch.Tensor:
        """Another tone curve for every portrait, and spots; in some batches a poor lens, the noise of a poor sensor.

        A real face has what no drawn one has: what a patch shows must not be believed to the last pixel.
        """
        gamma = np.exp(self._rng.normal(0, _GAMMA, (len(patches), 1)))
        tones = (255 * np.linspace(0, 1, 256) ** gamma).astype(np.float32)
        shown = np.stack([tone[patch] for tone, patch in zip(tones, patches, strict=True)])
        self._hide(shown.reshape(-1, SIDE, SIDE))
        seen = torch.from_numpy(shown)
        if self._rng.random() < _SOFT:
            seen = functional.avg_pool2d(seen, 3, stride=1, padding=1, count_include_pad=False)
        if self._rng.random() >= _NOISY:
            return seen
        noise = _SENSOR * torch.rand((len(seen), 1, 1, 1), generator=self._torch)
        return seen + noise * torch.randn(seen.shape, generator=self._torch)

    def _hide(self, patches: NDArray[np.float32]) -> None:
        """Lay an even spot over some of the patches (n, SIDE, SIDE), in place."""
        chosen = np.flatnonzero(self._rng.random(len(patches)) < _HIDDEN)
        sides = self._rng.integers(*_SPOT, (len(chosen), 2))
        places = (self._rng.random((len(chosen), 2)) * (SIDE - sides)).astype(int)
        grays = self._rng.uniform(0, 255, len(chosen))
        for index, (height, width), (top, left), gray in zip(chosen, sides, places, grays, strict=True):
            patches[index, top : top + height, left : left + width] = gray


def _by_person(samples: Samples, names: tuple[str, ...]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each person the portraits at rest and the others."""
    rest = at_rest(samples.expression, names)
    order = np.argsort(samples.person, kind="stable")
    people = np.split(order, np.flatnonzero(np.diff(samples.person[order])) + 1)
    return [(portraits[rest[portraits]], portraits[~rest[portraits]]) for portraits in people]
