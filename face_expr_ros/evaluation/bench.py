"""What the pipeline costs, on rendered frames of 1280x720, in this process alone."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

from face_expr_ros.config import CameraConfig, PerceptionConfig
from face_expr_ros.pipeline import Pipeline
from face_expr_ros.progress import progress
from face_expr_ros.sources.synthetic import SyntheticSource
from face_expr_ros.values import Frame

_CYCLE = 100  # rendered frames, shown again and again
_RATE = 30.0
_WARM_UP = 500  # frames after which memory should not grow any more


def measure(frames: int) -> dict[str, Any]:
    """Medians over ``frames`` frames, and how memory grew from frame 500 to the last.

    Returns:
        stages_ms: by stage, and their total. pipeline_over_floor: the total over MediaPipe's share of it.
        faces_slope_ms: what one more face costs. peak_memory_mb, memory_growth_mb: of this process.
    """
    pipeline = Pipeline(PerceptionConfig())
    stages, growth = _run(pipeline, _rendered(1), frames)
    total, floor = stages["total"], stages["landmarks"]
    three, _ = _run(pipeline, _rendered(3), min(frames, 300))
    pipeline.close()
    return {
        "frames": frames,
        "stages_ms": stages,
        "pipeline_over_floor": round(total / floor, 2),
        "faces_slope_ms": round((three["total"] - total) / 2, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "memory_growth_mb": growth,
    }


def _rendered(faces: int) -> list[Frame]:
    source = SyntheticSource(CameraConfig(faces=faces))
    return [source.at(number / _RATE)[0] for number in range(_CYCLE)]


def _run(pipeline: Pipeline, shown: list[Frame], count: int) -> tuple[dict[str, float], float]:
    """Median milliseconds by stage, and the growth of resident memory in MB after the first frames."""
    rows: list[dict[str, float]] = []
    settled = 0.0
    # Forward and backward through the film, so that nobody jumps.
    order = [*shown, *shown[-2:0:-1]]
    pipeline.reset()
    for number in progress(range(count), "frames", count):
        frame = order[number % len(order)]
        started = time.perf_counter()
        pipeline(Frame(frame.image, round(number / _RATE * 1e9), frame.frame_id, frame.camera))
        rows.append({**pipeline.stage_seconds, "total": time.perf_counter() - started})
        if number == min(_WARM_UP, count // 2):
            settled = _resident_mb()
    medians = {name: round(float(np.median([row[name] for row in rows])) * 1e3, 3) for name in rows[0]}
    return medians, round(_resident_mb() - settled, 1)


def _resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
