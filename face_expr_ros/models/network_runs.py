"""Observation of network runs, for benchmarks: each network hands its run to the observer, if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Inputs = Sequence[NDArray[np.float32]]
Result = TypeVar("Result")


class Network(Protocol):
    """A network whose runs are observed."""

    def repeat(self, *inputs: NDArray[np.float32]) -> None:
        """Run on inputs without reading the outputs, and without an observer."""


RunObserver = Callable[[Network, Inputs, Callable[[], Any]], Any]  # calls the third argument, the run, once
_observer: ContextVar[RunObserver | None] = ContextVar("run_observer", default=None)


def observed_run(network: Network, inputs: Inputs, run: Callable[[], Result]) -> Result:
    """Run a network that has its inputs, through the observer if there is one; returns what ``run`` returns."""
    observer = _observer.get()
    if observer is None:
        return run()
    result: Result = observer(network, inputs, run)
    return result


@contextmanager
def observed_runs(observer: RunObserver) -> Iterator[None]:
    """Within this context the networks of this thread run through ``observer``."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def timed_runs() -> Iterator[list[float]]:
    """Within this context the CPU time of each run on the calling thread, seconds, is added to the list that it gives.

    Networks run on that thread, with the default settings; waiting for other processes is not counted.
    """
    seconds: list[float] = []

    def timed(network: Network, inputs: Inputs, run: Callable[[], Any]) -> Any:
        started = time.thread_time()
        result = run()
        seconds.append(time.thread_time() - started)
        return result

    with observed_runs(timed):
        yield seconds
