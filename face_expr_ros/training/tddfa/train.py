"""Trains the open bundle's TDDFA network; an interrupted run resumes from its last checkpoint."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from face_expr_ros.core.progress import progress
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.checkpoints_and_schedule import averaged_weights, learning_rate_factor, write_checkpoint
from face_expr_ros.training.shard_files import finished_shards
from face_expr_ros.training.tddfa.loss import Loss, Targets, total
from face_expr_ros.training.tddfa.network import INPUT_SIZE, build_network
from face_expr_ros.training.tddfa.points import LearnedPoints, learned_points
from face_expr_ros.training.tddfa.samples import Sample, Sampler
from face_expr_ros.training.tddfa.shards import Shard, read_shard

_LIST_EVERY = 200  # batches between listings of the shards
CHECKPOINT, CURVES, SETTINGS = "checkpoint.pt", "curves.csv", "settings.yaml"


@dataclass(frozen=True)
class TrainingConfig:
    """Training settings.

    Attributes:
        steps: total number of batches; batch: samples per batch.
        learning_rate: after `warmup` steps of linear warm-up; it decays to zero over the final fraction `decay`.
        averaging: decay per step of the weights' exponential moving average.
        small_side: side of the crops, pixels, in the first fraction `small` of the steps, which halves the time.
        held_out: number of shards for validation, the first ones.
        validate_every, save_every: steps between validations and between checkpoints.
        threads: CPU threads of PyTorch; `workers` further processes create the samples.
        seed: random seed.
    """

    steps: int = 10_000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 300
    decay: float = 0.5
    averaging: float = 0.998
    small_side: int = 80
    small: float = 0.6
    held_out: int = 2
    validate_every: int = 1000
    save_every: int = 200
    threads: int = 1
    workers: int = 1
    seed: int = 1


class _Batches(IterableDataset[Any]):
    """Endless random batches of samples, with a different random sequence per worker.

    Args:
        shards: lists the shards; called repeatedly, so that training can start while rendering continues.
    """

    def __init__(
        self, shards: Callable[[], list[Path]], learned: LearnedPoints, config: TrainingConfig, seed: int
    ) -> None:
        self._shards, self._learned, self._config, self._seed = shards, learned, config, seed

    def __iter__(self) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
        worker = get_worker_info()
        seed = self._seed * 64 + (worker.id if worker else 0)
        rng = np.random.default_rng([seed, 12])
        sampler = Sampler(self._learned, INPUT_SIZE, seed)
        shards: dict[Path, Shard] = {}
        for number in itertools.count():
            if number % _LIST_EVERY == 0:
                shards |= {path: read_shard(path) for path in self._shards() if path not in shards}
                available = list(shards.values())
            picked = [available[int(k)] for k in rng.integers(len(available), size=self._config.batch)]
            yield collate([sampler(shard, int(rng.integers(len(shard.images)))) for shard in picked])


def collate(samples: list[Sample]) -> tuple[np.ndarray[Any, Any], ...]:
    """Stack the images (N, H, W, 3), parameters, points and face flags of samples."""
    return (
        np.stack([sample.image for sample in samples]),
        np.stack([sample.parameters for sample in samples]),
        np.stack([sample.points for sample in samples]),
        np.array([sample.face for sample in samples], np.float32),
    )


def normalized(images: torch.Tensor) -> torch.Tensor:
    """Network input (N, 3, H, W) of uint8 images (N, H, W, 3): (x - 127.5) / 128."""
    return ((images.float() - 127.5) / 128).permute(0, 3, 1, 2)


def train(drawings: Path, folder: Path, config: TrainingConfig) -> dict[str, Any]:
    """Train on the shards in ``drawings``; checkpoint, curves and settings are written to ``folder``.

    Raises:
        ValueError: there are no shards left for training.
    """
    shards = finished_shards(drawings)
    if len(shards) <= config.held_out:
        raise ValueError(
            f"expected more than {config.held_out} shards in {str(drawings)!r}, got {len(shards)}: "
            f"run face_expr synthesize first"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(yaml.safe_dump(asdict(config) | {"shards": len(shards)}), encoding="utf-8")
    return _TrainingRun(drawings, folder, config).run()


class _TrainingRun:
    """The state of a training run."""

    def __init__(self, drawings: Path, folder: Path, config: TrainingConfig) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self._config, self._folder = config, folder
        self._drawings = drawings
        model = open_face_model("open")
        self._learned = learned_points(model)
        mean, std = _parameter_statistics(self._training_shards, self._learned, config)
        self._mean, self._std = mean, std
        self._loss = Loss(self._learned, len(model.identity), torch.from_numpy(mean), torch.from_numpy(std), INPUT_SIZE)
        self._network = build_network(len(mean) + 1).to(memory_format=torch.channels_last)
        self._average = AveragedModel(
            self._network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging), use_buffers=True
        )
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._step = 0
        if (folder / CHECKPOINT).exists():
            self._resume()

    def _training_shards(self) -> list[Path]:
        return finished_shards(self._drawings)[self._config.held_out :]

    def _held_out_shards(self) -> list[Path]:
        return finished_shards(self._drawings)[: self._config.held_out]

    def run(self) -> dict[str, Any]:
        """Train to the last step; return it and the terms of the final validation."""
        config = self._config
        source = _Batches(self._training_shards, self._learned, config, seed=config.seed * 1000 + self._step)
        loader = DataLoader(
            source, batch_size=None, num_workers=config.workers, prefetch_factor=4 if config.workers else None
        )
        sums: dict[str, float] = {}
        steps = range(self._step, config.steps)
        for self._step, batch in progress(zip(steps, loader, strict=False), "training", len(steps), "steps"):
            for name, value in self._update(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            self._step += 1
            if self._step % config.validate_every == 0 or self._step == config.steps:
                self._report(sums)
                sums = {}
            if self._step % config.save_every == 0 or self._step == config.steps:
                self._save()
        return {"step": self._step, **self.validate()}

    def _update(self, batch: tuple[torch.Tensor, ...]) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * learning_rate_factor(self._step, self._config)
        images, *truth = (torch.as_tensor(part) for part in batch)
        parts = self._loss.parts(self._network(self._resize(normalized(images))), Targets(*truth))
        loss = total(parts)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return {name: value.item() for name, value in parts.items()}

    def _resize(self, images: torch.Tensor) -> torch.Tensor:
        """Reduce images (N, 3, H, W) to the small side in the first part of the training."""
        config = self._config
        if self._step >= config.small * config.steps:
            return images
        return functional.interpolate(images, size=(config.small_side,) * 2, mode="bilinear", antialias=True)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss terms of the averaged network on held-out people, with the same samples each time."""
        self._average.eval()
        batches = iter(_Batches(self._held_out_shards, self._learned, self._config, seed=999))
        parts = []
        for _ in range(16):
            images, *truth = (torch.as_tensor(part) for part in next(batches))
            parts.append(self._loss.parts(self._average(self._resize(normalized(images))), Targets(*truth)))
        return {name: float(np.mean([float(part[name]) for part in parts])) for name in parts[0]}

    def _report(self, sums: dict[str, float]) -> None:
        """Append a row to the curves; ``sums`` are those of the training loss terms since the last row."""
        path = self._folder / CURVES
        steps = (self._step - 1) % self._config.validate_every + 1
        row = {"step": self._step} | {f"train_{name}": round(value / steps, 4) for name, value in sums.items()}
        row |= {f"held_out_{name}": round(value, 4) for name, value in self.validate().items()}
        first = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, row)
            if first:
                writer.writeheader()
            writer.writerow(row)

    def _save(self) -> None:
        path = self._folder / CHECKPOINT
        state = {
            "step": self._step,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mean": torch.from_numpy(self._mean),
            "std": torch.from_numpy(self._std),
        }
        write_checkpoint(path, state)

    def _resume(self) -> None:
        state = torch.load(self._folder / CHECKPOINT, weights_only=True)
        self._step = state["step"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def _parameter_statistics(
    shards: Callable[[], list[Path]], learned: LearnedPoints, config: TrainingConfig
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Mean and standard deviation (12 + I + E,) of the samples' parameters; 0 and 1 for t_z, which is always 0."""
    batches = iter(_Batches(shards, learned, config, seed=998))
    parameters = np.concatenate([(batch := next(batches))[1][batch[3] > 0] for _ in range(24)])
    mean, std = parameters.mean(axis=0), parameters.std(axis=0)
    return mean.astype(np.float32), np.where(std > 1e-6, std, 1.0).astype(np.float32)


def averaged_network(folder: Path) -> tuple[torch.nn.Sequential, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The averaged network of a run, and the mean and standard deviation of its parameters."""
    state = torch.load(folder / CHECKPOINT, weights_only=True)
    network = build_network(len(state["mean"]) + 1)
    weights = averaged_weights(state)
    network.load_state_dict(weights)
    return network.eval(), state["mean"].numpy(), state["std"].numpy()
