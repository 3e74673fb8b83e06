"""Work on many independent inputs in worker processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_INTERRUPTED = 130  # exit status


class WorkerError(RuntimeError):
    """A worker process ended before its work was done."""


def in_processes(
    call: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Generator[tuple[Task, Result | Exception], None, None]:
    """Each task with its result or its error, in the order of completion.

    A worker that dies ends all: the remaining tasks have a WorkerError. If the iteration is left early, as by Ctrl-C,
    all workers are stopped.

    Args:
        call: a function of a module, or a partial of one.
        tasks: its arguments.
        workers: maximum number of processes.
    """
    others = set(active_children())
    with ProcessPoolExecutor(max(min(workers, len(tasks)), 1), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_call_or_exit, call, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], _outcome(future.result)
        except BaseException:  # otherwise the pool would finish all tasks first
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(active_children()) - others:
                worker.terminate()
            raise


def _call_or_exit(call: Callable[[Task], Result], task: Task) -> Result:
    """Runs in a worker process. Ctrl-C ends it: the pool would return the exception and start the next task."""
    try:
        return call(task)
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)


def _outcome(result: Callable[[], Result]) -> Result | Exception:
    try:
        return result()
    except BrokenProcessPool as error:
        reason = "a worker process ended unexpectedly, as it does without free memory: use fewer --jobs, and run again"
        return WorkerError(f"{reason} ({error})")
    except Exception as error:
        return error
