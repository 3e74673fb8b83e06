"""What a pipeline remembers of the faces, as bytes: a run that was interrupted goes on as if nothing had happened.

Networks, graphs, face models and tables do not change from image to image; all else is memory. A fresh pipeline of the
same settings has the former, so that only the latter is written: every array and everything that cannot be pickled of a
fresh pipeline is written as its place in it.
"""

from __future__ import annotations

import collections
import io
import pathlib
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.models.pickles import NUMPY_FUNCTIONS, ArrayUnpickler
from face_expr_ros.perception.pipeline import Pipeline

# Packages whose classes start processes, or write and remove files.
_NO_PARTS = ("bags", "cli", "evaluation", "nodes", "ros", "training", "web")

# Values of landmarks.backend that keep what they remember in Python objects. mediapipe_tasks keeps faces inside
# MediaPipe's graph, where nobody can look.
_READABLE_BACKENDS = ("mediapipe_solutions",)

_FROM_BUFFER: Any = np.zeros(1).__reduce_ex__(5)[0]  # the private function that arrays name since protocol 5
_SCALAR: Any = np.float64().__reduce__()[0]
_FUNCTIONS = {
    **NUMPY_FUNCTIONS,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("collections", "deque"): collections.deque,
    ("pathlib", "PosixPath"): pathlib.PosixPath,
}

_Place = tuple[Any, ...]


def can_be_kept(config: PerceptionConfig) -> bool:
    """Whether all that a pipeline of these settings remembers can be read and written."""
    return config.landmarks.backend in _READABLE_BACKENDS


class Memory:
    """Reads and writes the memory of one pipeline.

    Args:
        pipeline: fresh; no image has gone through it.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._fixed = dict(_fixed(pipeline, (), set()))
        self._places = {id(value): place for place, value in self._fixed.items()}

    def save(self) -> bytes:
        """What the pipeline remembers now."""
        self._pipeline.run_deferred_detection()  # so that it need not remember an image
        stream = io.BytesIO()
        _Pickler(stream, self._places).dump(vars(self._pipeline))
        return stream.getvalue()

    def load(self, data: bytes) -> None:
        """Remember what a pipeline of the same settings remembered."""
        vars(self._pipeline).update(_Unpickler(io.BytesIO(data), self._fixed).load())


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, places: dict[int, _Place]) -> None:
        super().__init__(stream, protocol=5)
        self._places = places

    def persistent_id(self, value: Any) -> _Place | None:
        return self._places.get(id(value))


class _Unpickler(ArrayUnpickler):
    """Makes arrays and objects of the classes of a pipeline's parts; whoever wrote the file, it calls nothing else."""

    def __init__(self, stream: io.BytesIO, fixed: dict[_Place, Any]) -> None:
        super().__init__(stream, _FUNCTIONS)
        self._fixed = fixed

    def find_class(self, module: str, name: str) -> Any:
        """A class of a module that the pipeline has loaded, or a function of the table."""
        top, _, part = module.partition(".")
        found = getattr(sys.modules.get(module), name, None)
        own = isinstance(found, type) and found.__module__ == module
        if own and top == "face_expr_ros" and part.partition(".")[0] not in _NO_PARTS:
            return found
        return super().find_class(module, name)

    def persistent_load(self, place: _Place) -> Any:
        return self._fixed[place]


def _fixed(value: Any, place: _Place, seen: set[int]) -> Iterator[tuple[_Place, Any]]:
    """Place and value of what does not change, found by walking from a fresh pipeline through its attributes."""
    if id(value) in seen:
        return
    seen.add(id(value))
    parts = _parts(value)
    if isinstance(value, np.ndarray) or any(map(_is_engine, parts.values())) or not (parts or _is_plain(value)):
        yield place, value
        return
    for name, part in parts.items():
        yield from _fixed(part, (*place, name), seen)


def _parts(value: Any) -> dict[Any, Any]:
    """What a container or an object of this package is made of."""
    if isinstance(value, dict):
        return value
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    own = type(value).__module__.startswith("face_expr_ros.") and not isinstance(value, type)
    return vars(value) if own and hasattr(value, "__dict__") else {}


def _is_engine(value: Any) -> bool:
    """Whether it is a network or a graph. What holds one stays with it, for the two know each other."""
    return not (isinstance(value, np.ndarray) or callable(value) or _parts(value) or _is_plain(value))


def _is_plain(value: Any) -> bool:
    """Whether pickle writes it as a value: numbers and texts, empty containers."""
    try:
        pickle.dumps(value)
    except Exception:  # each extension has its own way to refuse
        return False
    return True
