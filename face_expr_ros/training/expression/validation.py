"""How well a head reads people whom it never saw, while it is trained."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from face_expr_ros.training.expression.network import HeadNetwork
from face_expr_ros.training.expression.samples import MARGIN, RestFinder, Samples, at_rest

_YAW = np.radians(40.0)  # as far as a head may be turned
_AT_ONCE = 256


@torch.no_grad()
def validate(
    network: HeadNetwork, samples: Samples, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(E,) correlations with the truth, with one rest known for each person, and with none.

    Raises:
        ValueError: nobody can be compared with its rest.
    """
    network.eval()
    states = _states(network, samples)
    view = torch.from_numpy(samples.features[:, -3:])
    rests = RestFinder(samples.person, at_rest(samples.expression, names))
    indices = np.arange(len(samples.person))
    rest = rests(indices, np.random.default_rng(1))
    known_truth = ~np.isnan(samples.expression).any(axis=1)
    chosen = indices[(rest >= 0) & known_truth & (np.abs(samples.angles[:, 0]) < _YAW)]
    if not len(chosen):
        raise ValueError("nobody of those held out is there at rest and in another portrait: draw more people")
    known = torch.ones(len(chosen), 1)
    told = network(states[chosen], view[chosen], states[rest[chosen]], known)
    untold = network(states[chosen], view[chosen], states[rest[chosen]], 0 * known)
    network.train()
    true = samples.expression[chosen]
    return _correlations(told.numpy(), true), _correlations(untold.numpy(), true)


def _states(network: HeadNetwork, samples: Samples) -> torch.Tensor:
    parts = []
    for first in range(0, len(samples.features), _AT_ONCE):
        block = slice(first, first + _AT_ONCE)
        patches = torch.from_numpy(samples.patches[block, :, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32))
        parts.append(network.state(torch.from_numpy(samples.features[block]), patches))
    return torch.cat(parts)


def _correlations(given: NDArray[np.floating], true: NDArray[np.floating]) -> NDArray[np.float64]:
    """(E,) Pearson's r of columns; 0 where one of the two never changes."""
    given, true = given - given.mean(axis=0), true - true.mean(axis=0)
    size = np.sqrt((given**2).sum(axis=0) * (true**2).sum(axis=0))
    return np.asarray((given * true).sum(axis=0) / np.maximum(size, 1e-9), np.float64)
