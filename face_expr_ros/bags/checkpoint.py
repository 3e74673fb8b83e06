"""How far a bag is annotated, kept beside it so that a run that was interrupted can go on."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from pathlib import Path

from face_expr_ros.bags.memory import Memory
from face_expr_ros.models.pickles import ArrayUnpickler

CHECKPOINT = "checkpoint.pickle"


@dataclass
class RunState:
    """All that is needed to go on with a bag.

    Attributes:
        messages_in: messages of the bag that are done.
        frames, frames_with_face, faces: images that were looked at, those with a face, and all faces.
        left_out: images that cannot be read.
        problem: the first thing that cannot be read, and why.
        files: of the new bag, complete.
        begun_ns: time of the first message of the file in work, nanoseconds since 1970.
        camera_info: the last one that counts, serialized.
        memory: the pipeline's.
        ids: of all faces, in the order in which they came.
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
    memory: bytes = b""
    ids: list[str] = field(default_factory=list)


def packed(state: RunState, fingerprint: str) -> bytes:
    """The state of now; ``fingerprint`` says of which job."""
    return pickle.dumps((fingerprint, vars(state)))


def write_checkpoint(folder: Path, state: bytes) -> None:
    """Keep a `packed` state in a folder, in the place of an older one."""
    draft = folder / f"{CHECKPOINT}.draft"
    draft.write_bytes(state)
    draft.replace(folder / CHECKPOINT)


def read_checkpoint(folder: Path, fingerprint: str, memory: Memory | None) -> RunState:
    """Where an interrupted run of the same job stopped, with its pipeline's memory loaded; otherwise the beginning.

    Args:
        folder: where `write_checkpoint` kept the state.
        fingerprint: of the job.
        memory: of the fresh pipeline; None where it cannot be loaded, so that the run begins again.
    """
    file = folder / CHECKPOINT
    if memory is None or not file.exists():
        return RunState()
    try:
        written_by, values = ArrayUnpickler(io.BytesIO(file.read_bytes()), {}).load()
        if written_by != fingerprint:
            return RunState()
        state = RunState(**values)
        memory.load(state.memory)
    except Exception:  # written by another version: nothing is lost but time
        return RunState()
    return state
