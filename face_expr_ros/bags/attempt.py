"""Annotation of one of several bags in a worker process; errors that a retry would repeat become results."""

from __future__ import annotations

from typing import Any

from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job

Outcome = dict[str, Any]  # of one bag: what `annotate` returns, or "source" and "error"


def attempt(job: Job) -> Outcome:
    """Annotate a bag. Errors that a retry would repeat are returned as a result; others are raised."""
    try:
        return annotate(job, bar=False)
    except ValueError as error:  # BagError, BundleError, ConfigError
        return {"source": str(job.source), "error": str(error)}
