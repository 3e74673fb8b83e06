"""The settings of the annotation of one bag, and whether its result already exists."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection

from face_expr_ros import __version__
from face_expr_ros.bags import BagError
from face_expr_ros.bags.drawings import DrawingOptions
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import notes_of
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.resources import resource_path
from face_expr_ros.models.bundle import MANIFEST, sha256_of

_NOTE = "face_expr_ros"  # key of this package's entry in the custom data of a bag's metadata
Bounds = tuple[
    int | None, int | None
]  # start (inclusive) and end (exclusive), nanoseconds since 1970; None is unbounded


@dataclass(frozen=True)
class Job:
    """Annotation of one bag.

    Attributes:
        source, out: the recording, and the folder of the annotated bag.
        config: settings of the perception node.
        topic: image topic; None if the bag has only one.
        depth: topic of depth images aligned with the images; None is depth/image beside the image topic, if it exists.
        namespace: namespace of the added topics, such as "/robot", or empty.
        start, stop: annotated part, in seconds from the start of the bag; None is its end.
        storage: "mcap" or "sqlite3".
        split: duration of each file of ``out``, in seconds; an interrupted run resumes after the last complete file.
        drawings: what is drawn for viewers.
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
    drawings: DrawingOptions = DrawingOptions()
    depth: str | None = None


def bounds_of(job: Job, recording: Recording) -> Bounds:
    """Start and end of the annotated part."""
    start = recording.start_ns + round(job.start * 1e9) if job.start > 0 else None
    stop = recording.start_ns + round(job.stop * 1e9) if job.stop is not None else None
    return start, stop


def fingerprint_of(job: Job, recording: Recording, images: Connection) -> str:
    """Identifies the recording, settings, version and weights from which the new bag is made."""
    made_of = asdict(job) | {"source": job.source.name, "out": job.out.name, "topic": images.topic}
    made_of |= {"messages": recording.message_count, "recorded": [recording.start_ns, recording.end_ns]}
    made_of |= {"weights": sha256_of(resource_path(MANIFEST))}
    return json.dumps(made_of | {"version": __version__}, sort_keys=True)


def metadata_notes(fingerprint: str, result: dict[str, Any]) -> dict[str, str]:
    """The custom data of a complete bag, see `completed_result`."""
    return {_NOTE: json.dumps({"made_of": fingerprint, "result": result})}


def completed_result(job: Job, fingerprint: str) -> dict[str, Any] | None:
    """The stored result if the annotated bag already exists; None if nothing exists at its path.

    Raises:
        BagError: something else exists there.
    """
    if not job.out.exists():
        return None
    try:
        note = json.loads(notes_of(job.out)[_NOTE])
        same, result = note["made_of"] == fingerprint, dict(note["result"])
    except (KeyError, TypeError, ValueError):  # not a bag written by this package
        same, result = False, {}
    if not same:
        raise BagError(f"{str(job.out)!r} already exists and is not overwritten: remove it, or give another path")
    return {**result, "seconds": 0.0, "realtime_factor": 0.0, "done_before": True}
