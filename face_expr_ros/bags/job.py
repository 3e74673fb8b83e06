"""What is to be done with one bag, and whether that is done already."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection

from face_expr_ros import __version__
from face_expr_ros.bags import BagError
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import notes_of
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models.bundle import MANIFEST, sha256_of

_NOTE = "face_expr_ros"  # the key of our notes in a bag's metadata
Bounds = tuple[int | None, int | None]  # nanoseconds since 1970, from which and before which; None is all


@dataclass(frozen=True)
class Job:
    """What is to be done with one bag.

    Attributes:
        source, out: the recording, and the folder of the annotated one.
        config: settings of the perception node.
        topic: of the images; None where the bag has one topic of images.
        namespace: of the topics that are added, such as "/robot", or empty.
        start, stop: seconds after the bag's start, from which to which it is annotated; None is its end.
        storage: "mcap" or "sqlite3".
        split: seconds of the recording in one file of ``out``; after each an interrupted run can go on.
    """

    source: Path
    out: Path
    config: PerceptionConfig = PerceptionConfig()
    topic: str | None = None
    namespace: str = ""
    start: float = 0.0
    stop: float | None = None
    storage: str = "mcap"
    split: float = 60.0


def bounds_of(job: Job, recording: Recording) -> Bounds:
    """The times between which the recording is annotated."""
    start = recording.start_ns + round(job.start * 1e9) if job.start > 0 else None
    stop = recording.start_ns + round(job.stop * 1e9) if job.stop is not None else None
    return start, stop


def fingerprint_of(job: Job, recording: Recording, images: Connection) -> str:
    """What the new bag is made of: another recording, setting, version or weights give another text."""
    made_of = asdict(job) | {"source": job.source.name, "out": job.out.name, "topic": images.topic}
    made_of |= {"messages": recording.message_count, "recorded": [recording.start_ns, recording.end_ns]}
    made_of |= {"weights": sha256_of(resource_path(MANIFEST))}
    return json.dumps(made_of | {"version": __version__}, sort_keys=True)


def notes_on(fingerprint: str, result: dict[str, Any]) -> dict[str, str]:
    """What a complete bag says of itself, see `done_before`."""
    return {_NOTE: json.dumps({"made_of": fingerprint, "result": result})}


def done_before(job: Job, fingerprint: str) -> dict[str, Any] | None:
    """The result of the bag that is there already; None where there is none.

    Raises:
        BagError: what is there is something else.
    """
    if not job.out.exists():
        return None
    try:
        note = json.loads(notes_of(job.out)[_NOTE])
        same, result = note["made_of"] == fingerprint, dict(note["result"])
    except (KeyError, TypeError, ValueError):  # a bag, or something else, that is none of ours
        same, result = False, {}
    if not same:
        raise BagError(f"{str(job.out)!r} is there already and is not overwritten: remove it, or name another place")
    return {**result, "seconds": 0.0, "realtime_factor": 0.0, "done_before": True}
