"""Speed of `face_expr annotate` on a recording of 1280x720 JPEG images, and where its time goes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from face_expr_ros.benchmarks.clips import played
from face_expr_ros.core.types import Frame

_START_NS = 1_700_000_000_000_000_000
_TOPIC = "/camera/image/compressed"
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 90]


def measure_annotation(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Record ``count`` images of a clip as JPEG at 30 Hz, and annotate the bag with the default settings.

    Returns:
        annotate_realtime_factor: duration of the recording divided by that of the run, with loading of the networks;
        annotate_cpu_ms: CPU time per image of each stage; annotate_thread_ms: sums of the three threads. The slowest
            thread, and half of all three on two cores, are the limits of the speed.
    """
    from face_expr_ros.bags.annotate import annotate
    from face_expr_ros.bags.job import Job

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "recording"
        record_jpeg(source, frames, count)
        result = annotate(Job(source, Path(folder) / "annotated"), bar=False)
    return {
        "annotate_realtime_factor": round(result["realtime_factor"], 2),
        "annotate_cpu_ms": {stage: round(spent, 3) for stage, spent in result["cpu_ms"].items()},
        "annotate_thread_ms": {thread: round(spent, 3) for thread, spent in result["thread_ms"].items()},
    }


def record_jpeg(bag: Path, frames: Sequence[Frame], count: int) -> None:
    """Write a bag of ``count`` JPEG images of a clip at 30 Hz."""
    from face_expr_ros.bags.messages import COMPRESSED_IMAGE, cdr
    from face_expr_ros.bags.writing import SplitWriter, new_topic
    from face_expr_ros.serialization.message_dicts import header_values

    encoded = {id(frame.image): cv2.imencode(".jpg", frame.image, _JPEG)[1] for frame in frames}
    writer = SplitWriter(bag, "mcap", [new_topic(_TOPIC, COMPRESSED_IMAGE)])
    try:
        for frame in played(frames, count):
            time_ns = _START_NS + frame.stamp_ns
            header = header_values(time_ns, frame.frame_id)
            values = {"header": header, "format": "bgr8; jpeg compressed bgr8", "data": encoded[id(frame.image)]}
            writer.write(_TOPIC, COMPRESSED_IMAGE, time_ns, cdr(COMPRESSED_IMAGE, values))
        writer.finish({})
    finally:
        writer.abort()
