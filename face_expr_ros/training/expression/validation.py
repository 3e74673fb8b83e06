"""Validation of the head on held-out people during training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from face_expr_ros.training.expression.network import HeadNetwork
from face_expr_ros.training.expression.samples import MARGIN, NeutralFinder, Samples, is_neutral

_MAX_YAW = np.radians(40.0)
_BATCH_SIZE = 256


@torch.no_grad()
def validate(
    network: HeadNetwork, samples: Samples, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlations (E,) with the truth: with a known neutral expression per person, and without.

    Raises:
        ValueError: no held-out person has a neutral portrait and another one.
    """
    network.eval()
    states = _states(network, samples)
    view = torch.from_numpy(samples.features[:, -3:])
    find_neutral = NeutralFinder(samples.person, is_neutral(samples.expression, names))
    indices = np.arange(len(samples.person))
    neutral = find_neutral(indices, np.random.default_rng(1))
    known_truth = ~np.isnan(samples.expression).any(axis=1)
    chosen = indices[(neutral >= 0) & known_truth & (np.abs(samples.angles[:, 0]) < _MAX_YAW)]
    if not len(chosen):
        raise ValueError(
            "expected held-out people with a neutral portrait and at least one other portrait, got none: render more "
            "portraits"
        )
    known = torch.ones(len(chosen), 1)
    with_neutral = network(states[chosen], view[chosen], states[neutral[chosen]], known)
    without_neutral = network(states[chosen], view[chosen], states[neutral[chosen]], 0 * known)
    network.train()
    true = samples.expression[chosen]
    return _correlations(with_neutral.numpy(), true), _correlations(without_neutral.numpy(), true)


def _states(network: HeadNetwork, samples: Samples) -> torch.Tensor:
    parts = []
    for first in range(0, len(samples.features), _BATCH_SIZE):
        block = slice(first, first + _BATCH_SIZE)
        patches = torch.from_numpy(samples.patches[block, :, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32))
        parts.append(network.state(torch.from_numpy(samples.features[block]), patches))
    return torch.cat(parts)


def _correlations(predicted: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.float64]:
    """(E,) Pearson's r per column; 0 where a column is constant."""
    predicted, true = predicted - predicted.mean(axis=0), true - true.mean(axis=0)
    norm = np.sqrt((predicted**2).sum(axis=0) * (true**2).sum(axis=0))
    return np.asarray((predicted * true).sum(axis=0) / np.maximum(norm, 1e-9), np.float64)
