"""One bag of many: annotated in a worker process, with an error as a result where a retry would not help."""

from __future__ import annotations

from typing import Any

from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job

Outcome = dict[str, Any]  # of one bag: what `annotate` returns, or "source" and "error"


def attempt(job: Job) -> Outcome:
    """Annotate a bag. An error that a retry would repeat is returned as a result; others are raised."""
    try:
        return annotate(job, bar=False)
    except ValueError as error:  # BagError, BundleError, ConfigError
        return {"source": str(job.source), "error": str(error)}
