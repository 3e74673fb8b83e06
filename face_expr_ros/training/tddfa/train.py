"""Trains the open bundle's TDDFA network; an interrupted run resumes from its last checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from face_expr_ros.core.progress import progress
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.training.checkpoints_and_schedule import averaged_weights, learning_rate_factor, write_checkpoint
from face_expr_ros.training.curve_files import append_row
from face_expr_ros.training.tddfa.config import TrainingConfig
from face_expr_ros.training.tddfa.initial import load_exported, read_whitening
from face_expr_ros.training.tddfa.loader import Batches, Sources, sources_of
from face_expr_ros.training.tddfa.loss import Loss, Targets, total
from face_expr_ros.training.tddfa.network import build_network, multiply_in_bfloat16
from face_expr_ros.training.tddfa.points import LearnedPoints, learned_points

CHECKPOINT, CURVES, SETTINGS = "checkpoint.pt", "curves.csv", "settings.yaml"


def normalized(images: torch.Tensor) -> torch.Tensor:
    """Network input (N, 3, H, W) of uint8 images (N, H, W, 3): (x - 127.5) / 128."""
    return ((images.float() - 127.5) / 128).permute(0, 3, 1, 2)


def train(data: Path, folder: Path, config: TrainingConfig) -> dict[str, Any]:
    """Train on the shards in ``data``; checkpoint, curves and settings are written to ``folder``.

    Raises:
        ValueError: there are no shards left for training.
    """
    sources = sources_of(data, config)
    shards = {name: len(sources.seen(name)) for name, _ in sources.shares}
    if not any(shards.values()):
        raise ValueError(
            f"expected more than {config.held_out} shards in a folder of {str(data)!r}; run face_expr synthesize first"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS).write_text(yaml.safe_dump(asdict(config) | {"shards": shards}), encoding="utf-8")
    return _TrainingRun(sources, folder, config).run()


class _TrainingRun:
    """The state of a training run."""

    def __init__(self, sources: Sources, folder: Path, config: TrainingConfig) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self._config, self._folder, self._sources = config, folder, sources
        model = open_face_model("open")
        self._learned = learned_points(model)
        self._mean, self._std = self._whitening()
        whitening = torch.from_numpy(self._mean), torch.from_numpy(self._std)
        self._loss = Loss(self._learned, len(model.identity), *whitening, config.side)
        self._network = self._build()
        self._average = AveragedModel(
            self._network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging), use_buffers=True
        )
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._step = 0
        if (folder / CHECKPOINT).exists():
            self._resume()

    def _whitening(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        if self._config.initial:
            return read_whitening(Path(self._config.initial), self._config.side)
        return _parameter_statistics(self._sources, self._learned, self._config)

    def _build(self) -> torch.nn.Sequential:
        """The network before the first step."""
        config = self._config
        network = build_network(len(self._mean) + 1, normalized=not config.initial, side=config.side)
        if config.initial:
            load_exported(network, Path(config.initial))
        if config.bfloat16:
            multiply_in_bfloat16(network)
        return network.to(memory_format=torch.channels_last)

    def run(self) -> dict[str, Any]:
        """Train to the last step; return it and the terms of the final validation."""
        config = self._config
        source = Batches(self._sources, self._learned, config, seed=config.seed * 1000 + self._step)
        loader = DataLoader(
            source, batch_size=None, num_workers=config.workers, prefetch_factor=4 if config.workers else None
        )
        sums: dict[str, float] = {}
        reported = self._step
        steps = range(self._step, config.steps)
        for self._step, batch in progress(zip(steps, loader, strict=False), "training", len(steps), "steps"):
            for name, value in self._update(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            self._step += 1
            if self._step % config.validate_every == 0 or self._step == config.steps:
                self._report({name: value / (self._step - reported) for name, value in sums.items()})
                sums, reported = {}, self._step
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
        if self._step >= config.small * config.steps or config.side <= config.small_side:
            return images
        return functional.interpolate(images, size=(config.small_side,) * 2, mode="bilinear", antialias=True)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss terms of the averaged network on held-out people, with the same samples each time."""
        self._average.eval()
        batches = iter(Batches(self._sources, self._learned, self._config, seed=999, held_out=True))
        parts = []
        for _ in range(16):
            images, *truth = (torch.as_tensor(part) for part in next(batches))
            parts.append(self._loss.parts(self._average(self._resize(normalized(images))), Targets(*truth)))
        return {name: float(np.mean([float(part[name]) for part in parts])) for name in parts[0]}

    def _report(self, means: dict[str, float]) -> None:
        """Append a row to the curves; ``means`` are those of the training loss terms since the last row."""
        row = {"step": self._step} | {f"train_{name}": round(value, 4) for name, value in means.items()}
        row |= {f"held_out_{name}": round(value, 4) for name, value in self.validate().items()}
        append_row(self._folder / CURVES, row)

    def _save(self) -> None:
        path = self._folder / CHECKPOINT
        state = {
            "step": self._step,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "mean": torch.from_numpy(self._mean),
            "std": torch.from_numpy(self._std),
            "side": self._config.side,
        }
        write_checkpoint(path, state)

    def _resume(self) -> None:
        state = torch.load(self._folder / CHECKPOINT, weights_only=True)
        self._step = state["step"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def _parameter_statistics(
    sources: Sources, learned: LearnedPoints, config: TrainingConfig
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Mean and standard deviation (12 + I + E,) of the samples' parameters; 0 and 1 for t_z, which is always 0."""
    batches = iter(Batches(sources, learned, config, seed=998))
    parameters = np.concatenate([(batch := next(batches))[1][batch[3] > 0] for _ in range(24)])
    mean, std = parameters.mean(axis=0), parameters.std(axis=0)
    return mean.astype(np.float32), np.where(std > 1e-6, std, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Trained:
    """The averaged network of a run, mean and std (12 + I + E,) of its parameters, and the side of its crops."""

    network: torch.nn.Sequential
    mean: np.ndarray[Any, Any]
    std: np.ndarray[Any, Any]
    side: int


def averaged_network(folder: Path) -> Trained:
    """The averaged network of a run."""
    state = torch.load(folder / CHECKPOINT, weights_only=True)
    weights, side = averaged_weights(state), int(state["side"])
    normalized = any("running_mean" in name for name in weights)
    network = build_network(len(state["mean"]) + 1, normalized, side)
    network.load_state_dict(weights)
    return Trained(network.eval(), state["mean"].numpy(), state["std"].numpy(), side)
