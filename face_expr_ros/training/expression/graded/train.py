"""Training of the fusion on graded portraits and rendered faces; an interrupted run resumes at its last checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from face_expr_ros.core.portrait_score import COLUMNS, column_values, score
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray
from face_expr_ros.training.checkpoints_and_schedule import averaged_weights, learning_rate_factor, write_checkpoint
from face_expr_ros.training.curve_files import append_row
from face_expr_ros.training.expression.graded.batches import Disturber, Sampler
from face_expr_ros.training.expression.graded.config import FusionTraining
from face_expr_ros.training.expression.graded.faces import Faces
from face_expr_ros.training.expression.graded.loss import GradeWeights, PortraitLoss, RenderLoss
from face_expr_ros.training.expression.graded.network import FusionNetwork
from face_expr_ros.training.expression.samples import MARGIN, Mirror, whitening_basis

CHECKPOINT, CURVES = "checkpoint.pt", "curves.csv"
_AT_ONCE = 256


class FusionRun:
    """A training run, which saves and restores its state.

    Args:
        portraits, held_out: graded faces to train and to validate on.
        renders, held_out_renders: rendered faces to train and to validate on.
        mirror, movements: see `samples.mirror_of` and `samples.missed_movements`.
    """

    def __init__(
        self,
        config: FusionTraining,
        names: tuple[str, ...],
        portraits: Faces,
        held_out: Faces,
        renders: Faces,
        held_out_renders: Faces,
        mirror: Mirror,
        movements: NDArray[np.float32],
    ) -> None:
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self._config, self._names, self._folder = config, names, Path(config.folder)
        self._portraits, self._held_out = portraits, held_out
        self._renders, self._held_out_renders = renders, held_out_renders
        self._weights = GradeWeights(portraits)
        self._portrait_loss = PortraitLoss(portraits, names, config.teacher_weight, config.asymmetry_weight)
        self._render_loss = RenderLoss(renders)
        seen = np.concatenate([portraits.features, renders.features])[::2]
        mean, basis = torch.from_numpy(seen.mean(axis=0)), torch.from_numpy(whitening_basis(seen))
        network = FusionNetwork(mean, basis, len(names), config.dropout, config.branch_dropout)
        self._network = network.to(memory_format=torch.channels_last)
        self._average = AveragedModel(
            self._network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging), use_buffers=True
        )
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._step = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        if (self._folder / CHECKPOINT).exists():
            self._resume()
        rng = np.random.default_rng([config.seed, self._step])
        self._sample = Sampler(portraits, True, rng), Sampler(renders, False, rng)
        self._disturb = Disturber(mirror, movements, config.seed * 1000 + self._step)

    def go(self) -> FusionNetwork:
        """Train to the last step and return the averaged network."""
        config, losses = self._config, list[float]()
        for _ in progress(range(self._step, config.steps), "training", unit="steps"):
            losses.append(self._update())
            self._step += 1
            if self._step % config.validate_every == 0 or self._step == config.steps:
                self._validate(float(np.mean(losses)))
                self._save()
                losses = []
        return self.network()

    def network(self) -> FusionNetwork:
        """The averaged network."""
        averaged = self._average.module
        assert isinstance(averaged, FusionNetwork)
        return averaged.eval()

    def _update(self) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.learning_rate * learning_rate_factor(self._step, self._config)
        loss = self._loss()
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return loss.item()

    def _loss(self) -> torch.Tensor:
        config, disturb = self._config, self._disturb
        chosen = self._sample[0](config.portraits)
        graded = disturb.mirrored(self._portraits.part(chosen), graded=True)
        weights = self._weights(graded)
        rendered = disturb.mirrored(self._renders.part(self._sample[1](config.renders)), graded=False)
        features = disturb.features(np.concatenate([graded.features, disturb.followed(rendered)]))
        patches = disturb.patches(np.concatenate([graded.patches, rendered.patches]))
        estimates = [disturb.estimates(faces, config.estimate_dropout) for faces in (graded, rendered)]
        fit, head = (torch.cat(parts) for parts in zip(*estimates, strict=True))
        shown = self._network(features, patches, fit, head)
        on_portraits = self._portrait_loss(shown[: config.portraits], graded.truth, weights, graded.teacher)
        on_renders = self._render_loss(shown[config.portraits :], rendered.truth)
        return on_portraits + config.render_weight * on_renders

    def _validate(self, loss: float) -> None:
        """Append a row to the training curves."""
        row: dict[str, Any] = {"step": self._step, "loss": round(loss, 4)}
        if len(self._held_out.group):
            seen = self._held_out.part(originals(self._held_out))
            result = graded_score(predicted(self.network(), seen), seen, self._names)
            row |= {
                "portraits_r": round(result["mean_r"] or 0.0, 4),
                "portraits_auc": round(result["mean_auc"] or 0.0, 4),
            }
        shown = np.clip(predicted(self.network(), self._held_out_renders), 0, 1)
        row["renders_r"] = round(_mean_correlation(shown, self._held_out_renders.truth), 4)
        append_row(self._folder / CURVES, row)

    def _save(self) -> None:
        state = {
            "step": self._step,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        write_checkpoint(self._folder / CHECKPOINT, state)

    def _resume(self) -> None:
        state = torch.load(self._folder / CHECKPOINT, weights_only=True)
        self._step = state["step"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def trained_network(folder: str | Path, blendshapes: int) -> FusionNetwork:
    """The averaged network of a run's last checkpoint."""
    weights = averaged_weights(torch.load(Path(folder) / CHECKPOINT, weights_only=True))
    network = FusionNetwork(weights["mean"], weights["basis"], blendshapes)
    network.load_state_dict(weights)
    return network.eval()


@torch.no_grad()
def predicted(network: FusionNetwork, faces: Faces) -> FloatArray:
    """(N, E) uncalibrated blendshapes; the margins of the patches are removed."""
    network.eval()
    rows = []
    for first in range(0, len(faces.group), _AT_ONCE):
        block = slice(first, first + _AT_ONCE)
        patches = faces.patches[block, :, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
        parts = (faces.features[block], patches, faces.fit[block], faces.head[block])
        rows.append(network(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)).numpy())
    return np.concatenate(rows).astype(np.float64)


def originals(faces: Faces) -> NDArray[np.int64]:
    """Indices of the first copy of each portrait."""
    return np.unique(faces.group, return_index=True)[1]


def graded_score(values: FloatArray, faces: Faces, names: tuple[str, ...]) -> dict[str, Any]:
    """The score of estimated blendshapes (N, E) on graded faces."""
    grades = {column: faces.truth[:, index].astype(np.float64) for index, column in enumerate(COLUMNS)}
    return score(grades, column_values(names, np.clip(values, 0.0, 1.0)))


def _mean_correlation(shown: FloatArray, truth: NDArray[np.float32]) -> float:
    known = np.isfinite(truth).all(axis=1)
    shown, told = shown[known], truth[known].astype(np.float64)
    shown, told = shown - shown.mean(axis=0), told - told.mean(axis=0)
    size = np.sqrt((shown**2).sum(axis=0) * (told**2).sum(axis=0))
    return float(((shown * told).sum(axis=0) / np.maximum(size, 1e-9)).mean())
