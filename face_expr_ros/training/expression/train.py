"""Trains the expression head; a run that was stopped goes on where it was."""

from __future__ import annotations

import csv
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
from face_expr_ros.training.expression.batches import Batch, Batches
from face_expr_ros.training.expression.config import ExpressionTraining
from face_expr_ros.training.expression.network import HeadNetwork
from face_expr_ros.training.expression.samples import (
    Samples,
    canonical_face,
    even_basis,
    followed,
    left_out,
    load_samples,
    mirror_of,
)
from face_expr_ros.training.expression.shards import finished_shards
from face_expr_ros.training.expression.validation import validate
from face_expr_ros.training.running import averaged_weights, schedule, write_checkpoint

CHECKPOINT, BEST, CURVES, SETTINGS = "checkpoint.pt", "best.pt", "curves.csv", "settings.yaml"
_CANONICAL_SHARDS = 20  # from whose people the canonical face is made
_LEAST_VARIANCE = 1e-3  # of a blendshape in the loss


def train(config: ExpressionTraining, extra: Sequence[Path] = ()) -> dict[str, Any]:
    """Train on the shards in the folder's ``portraits``; checkpoint, curves and settings lie in the folder.

    Args:
        extra: further portraits, files as `user_data` reads; they only train.
    Returns:
        step, and the best validation.
    Raises:
        ValueError: there are too few portraits, or a file is not as it should be.
    """
    folder = Path(config.folder)
    shards = finished_shards(folder / "portraits")
    if not shards:
        raise ValueError(f"{str(folder / 'portraits')!r} has no portraits: draw them first")
    (folder / SETTINGS).write_text(yaml.safe_dump(asdict(config) | {"shards": len(shards)}), encoding="utf-8")
    model = open_face_model("open")
    canonical = canonical_face(shards[:_CANONICAL_SHARDS], model.facemesh_points(model.mean).astype(np.float64))
    samples = load_samples(shards, canonical)
    held_out = held_out_people(samples.person, config.held_out)
    seen = [samples.part(~held_out)] + [load_samples([path], canonical) for path in extra]
    moved = CENTIMETERS * model.facemesh_points(model.expression).reshape(len(model.expression), -1)
    movements = left_out(moved, model.expression_names)
    run = _Run(config, model.expression_names, canonical, _joined(seen), samples.part(held_out), movements)
    return run.go()


def held_out_people(person: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """(N,) whose portraits are left for validation: every so-and-so-many-th person's.

    Raises:
        ValueError: nobody or everybody would be.
    """
    every = max(2, round(1 / share))
    chosen = person % every == every - 1
    if chosen.all() or not chosen.any():
        raise ValueError(
            f"people are needed for training and for validation, and there are {len(np.unique(person))} in all"
        )
    return np.asarray(chosen)


def _joined(parts: list[Samples]) -> Samples:
    """All of them; the same number in two files is not the same person."""
    numbers = [np.unique(part.person, return_inverse=True)[1] for part in parts]
    first = np.cumsum([0] + [part.max() + 1 for part in numbers])
    apart = [replace(part, person=own + start) for part, own, start in zip(parts, numbers, first, strict=False)]
    return Samples(*(np.concatenate([getattr(part, name) for part in apart]) for name in Samples.__dataclass_fields__))


class _Run:
    """The state of a training run."""

    def __init__(
        self,
        config: ExpressionTraining,
        names: tuple[str, ...],
        canonical: NDArray[np.float64],
        seen: Samples,
        held_out: Samples,
        movements: NDArray[np.float32] | None = None,
    ) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self._config, self._folder, self._names = config, Path(config.folder), names
        self._canonical, self._seen, self._held_out = canonical, seen, held_out
        self._mirror = mirror_of(canonical, names)
        self._movements = movements
        self._weights = torch.from_numpy(1.0 / (np.nanvar(seen.expression, axis=0) + _LEAST_VARIANCE))
        features = seen.features
        if movements is not None:
            features = followed(features, seen.expression, movements, np.random.default_rng(config.seed))
        mean, basis = features.mean(axis=0), even_basis(features)
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

    def go(self) -> dict[str, Any]:
        """Train to the last step."""
        config = self._config
        batches = Batches(
            self._seen, self._names, self._mirror, config.people, config.moments, config.seed * 1000 + self._step,
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
            if validated or self._step % config.save_every == 0:  # what was best is not forgotten in between
                self._save(CHECKPOINT)
        return {"step": self._step, "correlation": self._best}

    def _update(self, batch: Batch) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * schedule(self._step, self._config)
        loss = self._loss(batch)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return loss.item()

    def _loss(self, batch: Batch) -> torch.Tensor:
        """Squared errors in units of each blendshape's variance, with the rest known and without."""
        network, known = self._network, batch.known
        state = network.state(batch.features, batch.patches)
        view, rest = batch.features[:, -3:], state[batch.rest]
        true = torch.nan_to_num(batch.expression)
        weights = self._weights * ~torch.isnan(batch.expression)
        told = (weights * known * (network(state, view, rest, known) - true) ** 2).mean()
        untold = (weights * (network(state, view, rest, torch.zeros_like(known)) - true) ** 2).mean()
        return told + untold

    def _validate(self, loss: float) -> None:
        """A line of the curves; the averaged weights are kept where they are the best so far."""
        told, untold = validate(self._average.module, self._held_out, self._names)
        row = {"step": self._step, "loss": round(loss, 4), "correlation": round(float(told.mean()), 4)}
        row["correlation_without_rest"] = round(float(untold.mean()), 4)
        path = self._folder / CURVES
        first = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, row)
            if first:
                writer.writeheader()
            writer.writerow(row)
        if told.mean() > self._best:
            self._best = float(told.mean())
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
    """The best averaged network of a run, and its canonical face (478, 3)."""
    state = torch.load(folder / BEST, weights_only=True)
    weights = averaged_weights(state)
    network = HeadNetwork(weights["mean"], weights["basis"], blendshapes)
    network.load_state_dict(weights)
    return network.eval(), state["canonical"].numpy()
