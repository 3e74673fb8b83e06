"""Annotation of several bags on a Dask cluster, one task per bag; its workers share the file system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from face_expr_ros.bags import BagError
from face_expr_ros.bags.attempt import Outcome, attempt
from face_expr_ros.bags.job import Job
from face_expr_ros.core.progress import progress

CONNECT_TIMEOUT = 10.0  # seconds


def annotate_on_cluster(jobs: list[Job], address: str, attempts: int) -> list[Outcome]:
    """Annotate bags on the workers of the scheduler at ``address``, such as "tcp://head:8786".

    A failed task is run up to ``attempts`` times in all; a task whose worker is lost, as often as Dask's setting
    ``distributed.scheduler.allowed-failures`` allows.

    Raises:
        BagError: the package distributed is not installed, or the scheduler does not respond.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise BagError("--scheduler requires Dask, which is not installed: pip install distributed") from error
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise BagError(f"expected a Dask scheduler at {address!r}, got no response: {error}") from error
    with client:
        return list(_outcomes(client, jobs, attempts))


def _outcomes(client: Any, jobs: list[Job], attempts: int) -> Iterator[Outcome]:
    from distributed import as_completed

    # One bag uses one processor: a worker with several threads still processes one bag at a time.
    futures = client.map(attempt, jobs, retries=attempts - 1, pure=False)
    indices = {future.key: number for number, future in enumerate(futures)}
    outcomes: dict[int, Outcome] = {}
    for future in progress(as_completed(futures), "bags", len(jobs), unit="bags"):
        number = indices[future.key]
        outcomes[number] = _outcome(future, jobs[number])
    return (outcomes[number] for number in range(len(jobs)))


def _outcome(future: Any, job: Job) -> Outcome:
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    return {"source": str(job.source), "error": f"{type(future.exception()).__name__}: {future.exception()}"}
