"""Observation of network runs, for benchmarks: each network reports its inputs before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = Sequence[NDArray[np.float32]]
Network = Callable[..., Any]
RunObserver = Callable[[Network, Inputs], None]
_observer: ContextVar[RunObserver | None] = ContextVar("run_observer", default=None)


def report_run(network: Network, inputs: Inputs) -> None:
    """Call the observer, if there is one, with a network that is about to run on ``inputs``."""
    observer = _observer.get()
    if observer is not None:
        observer(network, inputs)


@contextmanager
def observed_runs(observer: RunObserver) -> Iterator[None]:
    """Within this context ``observer`` is called with each network of this thread and its inputs before a run."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)
