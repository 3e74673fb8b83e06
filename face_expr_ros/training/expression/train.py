"""Trains the expression head; an interrupted run resumes from its last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from face_expr_ros.core.progress import progress
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import CENTIMETERS
from face_expr_ros.training.checkpoints_and_schedule import averaged_weights, learning_rate_factor, write_checkpoint
from face_expr_ros.training.curve_files import append_row
from face_expr_ros.training.expression.batches import Batch, Batches
from face_expr_ros.training.expression.config import ExpressionTraining
from face_expr_ros.training.expression.network import HeadNetwork
from face_expr_ros.training.expression.samples import (
    Samples,
    add_missed_movements,
    canonical_face,
    load_samples,
    mirror_of,
    missed_movements,
    whitening_basis,
)
from face_expr_ros.training.expression.validation import validate
from face_expr_ros.training.shard_files import finished_shards

CHECKPOINT, BEST, CURVES, SETTINGS = "checkpoint.pt", "best.pt", "curves.csv", "settings.yaml"
_CANONICAL_SHARDS = 20  # number of shards that give the canonical face
_MIN_VARIANCE = 1e-3  # added to the variance of each blendshape in the loss


def train(config: ExpressionTraining, extra: Sequence[Path] = ()) -> dict[str, Any]:
    """Train on the shards in ``<folder>/portraits``; checkpoints, curves and settings are written to the folder.

    Args:
        extra: files of further portraits in the format of `user_data`, used for training only.
    Returns:
        ``step`` and ``correlation``, the best mean correlation on held-out people.
    Raises:
        ValueError: there are too few portraits, or a file of ``extra`` is invalid.
    """
    folder = Path(config.folder)
    shards = finished_shards(folder / "portraits")
    if not shards:
        raise ValueError(
            f"expected rendered portraits in {str(folder / 'portraits')!r}, got none: run face_expr synthesize first"
        )
    (folder / SETTINGS).write_text(yaml.safe_dump(asdict(config) | {"shards": len(shards)}), encoding="utf-8")
    model = open_face_model("open")
    canonical = canonical_face(shards[:_CANONICAL_SHARDS], model.facemesh_points(model.mean).astype(np.float64))
    samples = load_samples(shards, canonical)
    held_out = held_out_mask(samples.person, config.held_out)
    training = [samples.select(~held_out)] + [load_samples([path], canonical) for path in extra]
    moved = CENTIMETERS * model.facemesh_points(model.expression).reshape(len(model.expression), -1)
    movements = missed_movements(moved, model.expression_names)
    run = _TrainingRun(
        config, model.expression_names, canonical, _concatenate(training), samples.select(held_out), movements
    )
    return run.run()


def held_out_mask(person: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """(N,) which portraits are held out for validation: those of every n-th person, n = 1 / share.

    Raises:
        ValueError: no person, or every person, would be held out.
    """
    every = max(2, round(1 / share))
    chosen = person % every == every - 1
    if chosen.all() or not chosen.any():
        raise ValueError(
            f"expected enough people for training and for validation, got {len(np.unique(person))}: "
            f"render more portraits"
        )
    return np.asarray(chosen)


def _concatenate(parts: list[Samples]) -> Samples:
    """Concatenate samples; equal indices in different parts are different people and are renumbered."""
    numbers = [np.unique(part.person, return_inverse=True)[1] for part in parts]
    first = np.cumsum([0] + [part.max() + 1 for part in numbers])
    distinct = [replace(part, person=own + start) for part, own, start in zip(parts, numbers, first, strict=False)]
    return Samples(
        *(np.concatenate([getattr(part, name) for part in distinct]) for name in Samples.__dataclass_fields__)
    )


class _TrainingRun:
    """The state of a training run."""

    def __init__(
        self,
        config: ExpressionTraining,
        names: tuple[str, ...],
        canonical: NDArray[np.float64],
        training: Samples,
        held_out: Samples,
        movements: NDArray[np.float32] | None = None,
    ) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self._config, self._folder, self._names = config, Path(config.folder), names
        self._canonical, self._training, self._held_out = canonical, training, held_out
        self._mirror = mirror_of(canonical, names)
        self._movements = movements
        self._weights = torch.from_numpy(1.0 / (np.nanvar(training.expression, axis=0) + _MIN_VARIANCE))
        features = training.features
        if movements is not None:
            rng = np.random.default_rng(config.seed)
            features = add_missed_movements(features, training.expression, movements, rng)
        mean, basis = features.mean(axis=0), whitening_basis(features)
        network = HeadNetwork(torch.from_numpy(mean), torch.from_numpy(basis), len(names))
        self._network = network.to(memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(config.averaging)
        self._average = AveragedModel(self._network, multi_avg_fn=average, use_buffers=True)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._step, self._best = 0, -1.0
        if (self._folder / CHECKPOINT).exists():
            self._resume()

    def run(self) -> dict[str, Any]:
        """Train to the last step; see `train` for the result."""
        config = self._config
        batches = Batches(
            self._training, self._names, self._mirror, config.people, config.moments, config.seed * 1000 + self._step,
            self._movements,
        )  # fmt: skip
        losses: list[float] = []
        steps = range(self._step, config.steps)
        for self._step, batch in progress(zip(steps, batches, strict=False), "training", len(steps), "steps"):
            losses.append(self._update(batch))
            self._step += 1
            validated = self._step % config.validate_every == 0 or self._step == config.steps
            if validated:
                self._validate(float(np.mean(losses)))
                losses = []
            if validated or self._step % config.save_every == 0:  # a validation may have changed the best value
                self._save(CHECKPOINT)
        return {"step": self._step, "correlation": self._best}

    def _update(self, batch: Batch) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * learning_rate_factor(self._step, self._config)
        loss = self._loss(batch)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return loss.item()

    def _loss(self, batch: Batch) -> torch.Tensor:
        """Squared errors relative to each blendshape's variance, with a known neutral expression plus without."""
        network, known = self._network, batch.known
        state = network.state(batch.features, batch.patches)
        view, neutral = batch.features[:, -3:], state[batch.neutral]
        true = torch.nan_to_num(batch.expression)
        weights = self._weights * ~torch.isnan(batch.expression)
        with_neutral = (weights * known * (network(state, view, neutral, known) - true) ** 2).mean()
        without_neutral = (weights * (network(state, view, neutral, torch.zeros_like(known)) - true) ** 2).mean()
        return with_neutral + without_neutral

    def _validate(self, loss: float) -> None:
        """Validate, append a row to the curves, and save the averaged weights if they are the best so far."""
        with_neutral, without_neutral = validate(self._average.module, self._held_out, self._names)
        row = {"step": self._step, "loss": round(loss, 4), "correlation": round(float(with_neutral.mean()), 4)}
        row["correlation_without_rest"] = round(float(without_neutral.mean()), 4)
        append_row(self._folder / CURVES, row)
        if with_neutral.mean() > self._best:
            self._best = float(with_neutral.mean())
            self._save(BEST)

    def _save(self, name: str) -> None:
        path = self._folder / name
        state = {
            "step": self._step,
            "best": self._best,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "canonical": torch.from_numpy(self._canonical),
        }
        write_checkpoint(path, state)

    def _resume(self) -> None:
        state = torch.load(self._folder / CHECKPOINT, weights_only=True)
        self._step, self._best = state["step"], state["best"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def best_network(folder: Path, blendshapes: int) -> tuple[HeadNetwork, NDArray[np.float64]]:
    """The averaged network of a run with the best validation, and its canonical face (478, 3)."""
    state = torch.load(folder / BEST, weights_only=True)
    weights = averaged_weights(state)
    network = HeadNetwork(weights["mean"], weights["basis"], blendshapes)
    network.load_state_dict(weights)
    return network.eval(), state["canonical"].numpy()
