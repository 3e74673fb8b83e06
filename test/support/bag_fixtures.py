"""Fixtures of the bag tests: one shared pipeline, because its networks are slow to load, and one annotated bag.

conftest.py names this file to pytest.
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

Lend = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def lend() -> Iterator[Lend]:
    """Contexts in which `annotate` gets the same pipeline each time, in its initial state."""
    pipeline = Pipeline(PerceptionConfig())
    initial = pipeline.state_dict()

    class Borrowed:
        """Stays open when it is closed."""

        def __init__(self, config: PerceptionConfig) -> None:
            pipeline.load_state_dict(initial)

        def __getattr__(self, name: str) -> Any:
            return getattr(pipeline, name)

        def __call__(self, *given: Any) -> Any:
            return pipeline(*given)

        def close(self) -> None:
            pass

    @contextmanager
    def lent() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(annotating, "Pipeline", Borrowed)
            yield

    yield lent
    pipeline.close()


@pytest.fixture
def fresh(lend: Lend) -> Iterator[None]:
    """This test annotates with the shared pipeline, in its initial state for each run."""
    with lend():
        yield


@pytest.fixture(scope="session")
def bag(portrait: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "talk", portrait, COUNT)


@pytest.fixture(scope="session")
def annotated(bag: Path, lend: Lend) -> tuple[Path, dict[str, Any]]:
    """The annotated bag and the result of the run."""
    out = bag.with_name("talk_faces")
    with lend():
        return out, annotate(Job(bag, out), bar=False)
