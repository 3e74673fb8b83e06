"""The progress of an annotation, stored next to the bag so that an interrupted run can be resumed.

A checkpoint is a .npz file of arrays. Nested dicts and lists of plain values are one JSON text in it, in which an array
is a reference. Nothing is executed when a checkpoint is read.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import read_arrays
from face_expr_ros.perception.pipeline import Pipeline

CHECKPOINT = "checkpoint.npz"

_SERIALIZED = ("camera_info", "depth")  # fields of the state that are messages
_ARRAY = "__array__"  # key of a reference to an array
_TREE = "tree"  # name of the array with the JSON text


@dataclass
class RunState:
    """The state of a run after a number of messages.

    Attributes:
        messages_in: messages of the bag that are processed.
        frames, frames_with_face, faces: processed images, those with a face, and all faces.
        left_out: images that cannot be read.
        problem: the first thing that cannot be read, and why.
        files: complete files of the new bag.
        begun_ns: time of the first message of the current file, nanoseconds since 1970.
        camera_info: the latest one, serialized.
        depth: the latest depth image, serialized, if no image has used it yet.
        pipeline: its `Pipeline.state_dict`; None if it is not resumable.
        ids: of all faces, in order of appearance.
        drawings: `Drawings.state_dict`; None before the first file is complete.
    """

    messages_in: int = 0
    frames: int = 0
    frames_with_face: int = 0
    faces: int = 0
    left_out: int = 0
    problem: str = ""
    files: int = 0
    begun_ns: int | None = None
    camera_info: bytes = b""
    depth: bytes = b""
    pipeline: dict[str, Any] | None = None
    ids: list[str] = field(default_factory=list)
    drawings: dict[str, Any] | None = None


def packed(state: RunState, fingerprint: str) -> bytes:
    """The current state as bytes; ``fingerprint`` identifies the job."""
    values = vars(state) | {name: np.frombuffer(getattr(state, name), np.uint8) for name in _SERIALIZED}
    return to_bytes({"fingerprint": fingerprint, "state": values})


def write_checkpoint(folder: Path, state: bytes) -> None:
    """Store a `packed` state in a folder, in place of an older one."""
    draft = folder / f"{CHECKPOINT}.draft"
    draft.write_bytes(state)
    draft.replace(folder / CHECKPOINT)


def read_checkpoint(folder: Path, fingerprint: str, pipeline: Pipeline) -> RunState:
    """The state of an interrupted run of the same job, which the pipeline loads too; otherwise the initial state.

    Args:
        folder: as in `write_checkpoint`.
        fingerprint: of the job.
        pipeline: new, with the job's settings.
    """
    file = folder / CHECKPOINT
    if not pipeline.resumable or not file.exists():
        return RunState()
    initial = pipeline.state_dict()
    try:
        content = from_bytes(file.read_bytes(), file)
        if content["fingerprint"] != fingerprint:
            return RunState()
        values = content["state"]
        state = RunState(**values | {name: values[name].tobytes() for name in _SERIALIZED})
        pipeline.load_state_dict(state.pipeline or {})
    except Exception:  # damaged, or of another version: the run starts from the beginning
        pipeline.load_state_dict(initial)
        return RunState()
    return state


def to_bytes(tree: Any) -> bytes:
    """Nested dicts and lists of arrays, numbers, strings and None as a .npz file.

    Raises:
        TypeError: the tree contains another type.
    """
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_with_references(tree, arrays))
    stream = io.BytesIO()
    np.savez(stream, **{_TREE: np.frombuffer(text.encode(), np.uint8)}, **arrays)
    return stream.getvalue()


def from_bytes(data: bytes, path: Path) -> Any:
    """The inverse of `to_bytes`; tuples have become lists. ``path`` is named in errors.

    Raises:
        BundleError, ValueError, KeyError: the data is damaged or contains Python objects.
    """
    arrays = read_arrays(data, path)
    return json.loads(
        arrays[_TREE].tobytes(), object_hook=lambda value: arrays[value[_ARRAY]] if _ARRAY in value else value
    )


def _with_references(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"expected an array of numbers, got one of {value.dtype}")
        arrays[f"array_{len(arrays)}"] = value
        return {_ARRAY: f"array_{len(arrays) - 1}"}
    if isinstance(value, dict):
        return {key: _with_references(part, arrays) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_references(part, arrays) for part in value]
    return value.item() if isinstance(value, (np.bool_, np.integer)) else value
