"""Batches of samples from the shards on disk; shards may be added during training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from face_expr_ros.training.shard_files import finished_shards
from face_expr_ros.training.tddfa.config import TrainingConfig
from face_expr_ros.training.tddfa.points import LearnedPoints
from face_expr_ros.training.tddfa.samples import Sample, Sampler
from face_expr_ros.training.tddfa.shards import Shard, read_shard

_LIST_EVERY = 200  # batches
DRAWINGS, PORTRAITS, SURROUNDINGS = "drawings", "portraits", "surroundings.npy"
Arrays = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Sources:
    """Folders of shards and the fraction of the samples from each.

    Attributes:
        data: the folder that holds them.
        shares: (name, fraction) of the folders; normalized over the folders that have shards.
        held_out: number of first shards of each folder that are used for validation.
    """

    data: Path
    shares: tuple[tuple[str, float], ...]
    held_out: int

    def seen(self, name: str) -> list[Path]:
        """The shards to train on."""
        return finished_shards(self.data / name)[self.held_out :]

    def unseen(self, name: str) -> list[Path]:
        """The shards to validate on."""
        return finished_shards(self.data / name)[: self.held_out]


def sources_of(data: Path, config: TrainingConfig) -> Sources:
    """The folders that ``face_expr train tddfa`` fills."""
    shares = ((DRAWINGS, 1 - config.portrait_share), (PORTRAITS, config.portrait_share))
    return Sources(data, shares, config.held_out)


class Batches(IterableDataset[Any]):
    """Infinite stream of batches of samples; each worker samples independently.

    Args:
        sources: folders of shards, listed again regularly.
        held_out: use the validation shards.
    """

    def __init__(
        self, sources: Sources, learned: LearnedPoints, config: TrainingConfig, seed: int, held_out: bool = False
    ) -> None:
        self._list = sources.unseen if held_out else sources.seen
        self._shares = dict(sources.shares)
        path = sources.data / SURROUNDINGS
        self._surroundings = np.load(path) if path.exists() else None
        self._learned, self._config, self._seed = learned, config, seed

    def __iter__(self) -> Iterator[Arrays]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        seed = self._seed * 64 + (worker.id if worker else 0)
        rng = np.random.default_rng([seed, 12])
        sampler = Sampler(self._learned, self._config.side, seed, self._surroundings)
        opened: dict[Path, Shard] = {}
        for number in itertools.count():
            if number % _LIST_EVERY == 0:
                shards = self._open(opened)
                names = list(shards)
                share = np.array([self._shares[name] for name in names])
            picked = rng.choice(len(names), self._config.batch, p=share / share.sum())
            yield collate([self._sample(rng, sampler, shards[names[k]]) for k in picked])

    def _open(self, opened: dict[Path, Shard]) -> dict[str, list[Shard]]:
        """The shards of each folder with shards and a fraction above 0; new ones are added to ``opened``."""
        shards = {}
        for name in [name for name, share in self._shares.items() if share > 0]:
            paths = self._list(name)
            opened |= {path: read_shard(path) for path in paths if path not in opened}
            if paths:
                shards[name] = [opened[path] for path in paths]
        return shards

    def _sample(self, rng: np.random.Generator, sampler: Sampler, shards: list[Shard]) -> Sample:
        shard = shards[int(rng.integers(len(shards)))]
        return sampler(shard, int(rng.integers(len(shard.images))))


def collate(samples: list[Sample]) -> Arrays:
    """Images (N, H, W, 3), parameters, points and faces of samples, stacked."""
    return (
        np.stack([sample.image for sample in samples]),
        np.stack([sample.parameters for sample in samples]),
        np.stack([sample.points for sample in samples]),
        np.array([sample.face for sample in samples], np.float32),
    )
