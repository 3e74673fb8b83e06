"""Observation of network runs, for benchmarks: each network reports its inputs before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Inputs = Sequence[NDArray[np.float32]]


class Network(Protocol):
    """A network that reports its runs."""

    def repeat(self, *inputs: NDArray[np.float32]) -> None:
        """Run on inputs without reading the outputs."""


RunObserver = Callable[[Network, Inputs], None]
_observer: ContextVar[RunObserver | None] = ContextVar("run_observer", default=None)


def report_run(network: Network, inputs: Callable[[], Inputs]) -> None:
    """Call the observer, if there is one, with a network that is about to run on what ``inputs`` returns."""
    observer = _observer.get()
    if observer is not None:
        observer(network, inputs())


@contextmanager
def observed_runs(observer: RunObserver) -> Iterator[None]:
    """Within this context ``observer`` is called with each network of this thread and its inputs before a run."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)
