"""Annotation of several bags, one task per bag, in worker processes of this machine or on a cluster.

The results equal those of one bag after the other: bags share no state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from face_expr_ros.bags import BagError
from face_expr_ros.bags.attempt import Outcome, attempt
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.stage_times import mean_times
from face_expr_ros.bags.storage.bag_folder import is_bag, plain_stem
from face_expr_ros.bags.writing import UNFINISHED
from face_expr_ros.core.progress import progress
from face_expr_ros.core.signals import terminate_as_interrupt
from face_expr_ros.core.worker_processes import in_processes

ATTEMPTS = 3  # runs of a bag whose worker process dies
Report = Callable[[str], None]


def jobs_of(job: Job) -> list[Job]:
    """The job itself if its source is a bag; otherwise one job per bag in the folder, sorted by name.

    Raises:
        BagError: there is no bag, or two have the same output, such as talk and talk.mcap.
    """
    if is_bag(job.source):
        return [job]
    if not job.source.is_dir():
        raise BagError(f"expected a bag or a folder of bags, there is none at {str(job.source)!r}")
    bags = sorted(_bags_in(job.source, job.out.resolve()))
    if not bags:
        raise BagError(f"expected a bag or a folder of bags, found none in {str(job.source)!r}")
    sources: dict[Path, Path] = {}
    for bag in bags:
        other = sources.setdefault(job.out / _name(bag, job.source), bag)
        if other is not bag:
            raise BagError(f"expected bags with different names, got {other} and {bag}: rename one of them")
    return [replace(job, source=bag, out=out) for out, bag in sources.items()]


def _bags_in(folder: Path, out: Path) -> Iterator[Path]:
    """Bag folders, and single storage files, except outputs and links to parent folders."""
    for entry in folder.iterdir():
        resolved = entry.resolve()
        if resolved == out or entry.name.endswith(UNFINISHED) or folder.resolve().is_relative_to(resolved):
            continue
        if is_bag(entry):
            yield entry
        elif entry.is_dir():
            yield from _bags_in(entry, out)


def _name(bag: Path, folder: Path) -> Path:
    name = bag.relative_to(folder)
    return name.with_name(plain_stem(bag)) if bag.is_file() else name


def annotate_locally(jobs: list[Job], workers: int, report: Report) -> list[Outcome]:
    """Annotate bags in worker processes of this machine.

    Args:
        jobs: one for each bag.
        workers: number of worker processes.
        report: called with a sentence when bags are retried.
    """
    outcomes: dict[Path, Outcome] = {}
    with terminate_as_interrupt():
        for number in range(1, ATTEMPTS + 1):
            remaining = [job for job in jobs if job.source not in outcomes or "worker" in outcomes[job.source]]
            if not remaining:
                break
            if number > 1:
                report(
                    f"retrying {len(remaining)} of {len(jobs)} bags: {', '.join(job.source.name for job in remaining)}"
                )
            for outcome in progress(_run_pool(remaining, workers), "bags", len(remaining), unit="bags"):
                outcomes[Path(outcome["source"])] = outcome
    return [outcomes[job.source] for job in jobs]


def _run_pool(jobs: list[Job], workers: int) -> Iterator[Outcome]:
    """The outcome of a job whose worker dies, or that fails otherwise, has the key "worker"."""
    for job, outcome in in_processes(attempt, jobs, workers):
        if isinstance(outcome, Exception):
            reason = f"{type(outcome).__name__}: {outcome}"
            yield {"source": str(job.source), "error": reason, "worker": "failed"}
        else:
            yield outcome


def summary(outcomes: Iterable[Outcome], seconds: float) -> dict[str, Any]:
    """Sums over the annotated bags, with the keys of a single bag; ``bags`` has the outcome of each bag.

    ``failed`` lists the bags that are not annotated; ``realtime_factor`` includes only bags annotated in this run.
    """
    outcomes = list(outcomes)
    done = [outcome for outcome in outcomes if "error" not in outcome]
    result: dict[str, Any] = {
        name: sum(outcome[name] for outcome in done)
        for name in ("messages_in", "frames", "frames_with_face", "faces", "images_left_out", "recorded_seconds")
    }
    fresh = sum(outcome["recorded_seconds"] for outcome in done if "done_before" not in outcome)
    failed = [{"source": outcome["source"], "error": outcome["error"]} for outcome in outcomes if "error" in outcome]
    result |= {"seconds": seconds, "realtime_factor": fresh / seconds, **mean_times(done)}
    return {**result, "failed": failed, "bags": outcomes}


def annotate_many(jobs: list[Job], workers: int, scheduler: str | None, report: Report) -> dict[str, Any]:
    """Annotate all bags, on this machine or on the cluster of ``scheduler``, and return their `summary`."""
    started = time.perf_counter()
    if scheduler is None:
        outcomes = annotate_locally(jobs, workers, report)
    else:
        from face_expr_ros.bags.cluster import annotate_on_cluster

        outcomes = annotate_on_cluster(jobs, scheduler, ATTEMPTS)
    return summary(outcomes, time.perf_counter() - started)
