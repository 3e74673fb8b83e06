"""Fixtures of bag tests: a shared pipeline, because its networks load slowly, and one annotated bag.

conftest.py registers this file as a plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.bags import annotate as annotating
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.perception.pipeline import Pipeline
from support.bag_files import COUNT, record

SharePipeline = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def share_pipeline() -> Iterator[SharePipeline]:
    """Contexts in which `annotate` uses one shared pipeline, reset to its initial state."""
    pipeline = Pipeline(PerceptionConfig())
    initial = pipeline.state_dict()

    class SharedPipeline:
        """The shared pipeline, which stays open after `close`."""

        def __init__(self, config: PerceptionConfig, *given: Any) -> None:
            pipeline.load_state_dict(initial)

        def __getattr__(self, name: str) -> Any:
            return getattr(pipeline, name)

        def __call__(self, *given: Any) -> Any:
            return pipeline(*given)

        def close(self) -> None:
            pass

    @contextmanager
    def shared_context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(annotating, "Pipeline", SharedPipeline)
            yield

    yield shared_context
    pipeline.close()


@pytest.fixture
def fresh(share_pipeline: SharePipeline) -> Iterator[None]:
    """Annotate with the shared pipeline, reset for each run."""
    with share_pipeline():
        yield


@pytest.fixture(scope="session")
def bag(portrait: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "talk", portrait, COUNT)


@pytest.fixture(scope="session")
def annotated(bag: Path, share_pipeline: SharePipeline) -> tuple[Path, dict[str, Any]]:
    """The annotated bag and the result of the run."""
    out = bag.with_name("talk_faces")
    with share_pipeline():
        return out, annotate(Job(bag, out), bar=False)
