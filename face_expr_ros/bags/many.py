"""Many recordings: each bag is a task of its own, in worker processes of this machine or of a cluster.

The answers are those of one bag after the other: nothing is shared between two bags.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from face_expr_ros.bags import BagError
from face_expr_ros.bags.attempt import Outcome, attempt
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.reading import is_bag
from face_expr_ros.bags.writing import UNFINISHED
from face_expr_ros.core.progress import progress
from face_expr_ros.core.signals import terminate_as_interrupt

INTERRUPTED = 130  # exit status
ATTEMPTS = 3  # at a bag whose worker dies
Tell = Callable[[str], None]


def jobs_of(job: Job) -> list[Job]:
    """The job itself where its source is a bag, otherwise one for every bag in that folder, by their names.

    Raises:
        BagError: there is no bag, or there are two of one name, such as talk and talk.mcap.
    """
    if is_bag(job.source):
        return [job]
    if not job.source.is_dir():
        raise BagError(f"a bag, or a folder of bags, was wanted, there is none at {str(job.source)!r}")
    bags = sorted(_bags_in(job.source, job.out.resolve()))
    if not bags:
        raise BagError(f"a bag, or a folder of bags, was wanted, none is in {str(job.source)!r}")
    places: dict[Path, Path] = {}
    for bag in bags:
        other = places.setdefault(job.out / _name(bag, job.source), bag)
        if other is not bag:
            raise BagError(f"bags of different names were wanted, {other} and {bag} were given: rename one of them")
    return [replace(job, source=bag, out=out) for out, bag in places.items()]


def _bags_in(folder: Path, out: Path) -> Iterator[Path]:
    """Folders that are bags, and bare .mcap and .db3 files; not what we write, and no way back up by a link."""
    for entry in folder.iterdir():
        place = entry.resolve()
        if place == out or entry.name.endswith(UNFINISHED) or folder.resolve().is_relative_to(place):
            continue
        if is_bag(entry):
            yield entry
        elif entry.is_dir():
            yield from _bags_in(entry, out)


def _name(bag: Path, folder: Path) -> Path:
    name = bag.relative_to(folder)
    return name.with_suffix("") if bag.is_file() else name


def _attempt_or_end(job: Job) -> Outcome:
    """In a worker process, which Ctrl-C ends: the pool would hand the exception on and give it the next bag."""
    try:
        return attempt(job)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)


def annotate_here(jobs: list[Job], workers: int, tell: Tell) -> list[Outcome]:
    """Annotate bags in worker processes of this machine.

    Args:
        jobs: one for each bag.
        workers: how many at once.
        tell: called with a sentence when a bag is tried again.
    """
    outcomes: dict[Path, Outcome] = {}
    with terminate_as_interrupt():
        for number in range(1, ATTEMPTS + 1):
            left = [job for job in jobs if job.source not in outcomes or "worker" in outcomes[job.source]]
            if not left:
                break
            if number > 1:
                tell(f"{len(left)} of {len(jobs)} bags are tried again: {', '.join(job.source.name for job in left)}")
            for outcome in progress(_pooled(left, workers), "bags", len(left), unit="bags"):
                outcomes[Path(outcome["source"])] = outcome
    return [outcomes[job.source] for job in jobs]


def _pooled(jobs: list[Job], workers: int) -> Iterator[Outcome]:
    """A worker that dies takes the pool with it: its jobs have an outcome with the key "worker"."""
    others = set(active_children())
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_attempt_or_end, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                try:
                    yield future.result()
                except Exception as error:
                    reason = f"{type(error).__name__}: {error}"
                    yield {"source": str(futures[future].source), "error": reason, "worker": "failed"}
        except BaseException:  # Ctrl-C, perhaps of this process alone: the pool would finish all bags first
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(active_children()) - others:
                worker.terminate()  # what is complete of its bag is kept, as where it dies
            raise


def summary(outcomes: Iterable[Outcome], seconds: float) -> dict[str, Any]:
    """Sums over the bags that were annotated, with the keys of one bag; ``bags`` has the outcome of each.

    ``failed`` has those that are not annotated; ``realtime_factor`` counts only what was annotated in this run.
    """
    outcomes = list(outcomes)
    done = [outcome for outcome in outcomes if "error" not in outcome]
    result: dict[str, Any] = {
        name: sum(outcome[name] for outcome in done)
        for name in ("messages_in", "frames", "frames_with_face", "faces", "images_left_out", "recorded_seconds")
    }
    fresh = sum(outcome["recorded_seconds"] for outcome in done if "done_before" not in outcome)
    failed = [{"source": outcome["source"], "error": outcome["error"]} for outcome in outcomes if "error" in outcome]
    return {**result, "seconds": seconds, "realtime_factor": fresh / seconds, "failed": failed, "bags": outcomes}


def annotate_many(jobs: list[Job], workers: int, scheduler: str | None, tell: Tell) -> dict[str, Any]:
    """All bags, here or on the cluster whose scheduler has the address ``scheduler``; their `summary`."""
    started = time.perf_counter()
    if scheduler is None:
        outcomes = annotate_here(jobs, workers, tell)
    else:
        from face_expr_ros.bags.cluster import annotate_there

        outcomes = annotate_there(jobs, scheduler, ATTEMPTS)
    return summary(outcomes, time.perf_counter() - started)
