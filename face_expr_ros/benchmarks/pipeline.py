"""Run time of the pipeline by number of faces and image size, and its memory over a long run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from face_expr_ros.benchmarks.clips import MAX_FACES, group, played, resized
from face_expr_ros.benchmarks.clock import Times, median_ms, memory_mb
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Frame
from face_expr_ros.models.network_runs import timed_runs
from face_expr_ros.perception.pipeline import Pipeline

FACES = (1, 2, 5, MAX_FACES)
SIZES = {"480p": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
_SETTLE = 500  # frames after which memory should no longer grow
_WARM_UP = 20  # frames
_CLIP_FRAMES = 4  # frames of the clip in each size: 100 MB in 4K


def measure_faces(count: int) -> dict[str, Any]:
    """Measure the pipeline on ``count`` frames for each number of faces.

    Returns:
        faces_ms: median, mean, p95, CPU time and that of the networks by number of faces.
        faces_slope_ms: slope of the line fitted to the means, which include the periodic detection passes;
            faces_start_ms: its intercept; faces_linearity: correlation of the means with the number of faces.
        faces_slope_cpu_ms: slope of the line fitted to the CPU times.
        faces_slope_networks_ms: the same for the CPU times of the networks within the pipeline.
    """
    rows = {}
    for faces in progress(FACES, "number of faces", len(FACES), "clips"):
        rows[faces] = _measure(group(faces), count, {"landmarks.max_faces": MAX_FACES})
    means, cpu, networks = ([row[name] for row in rows.values()] for name in ("mean", "cpu", "networks"))
    slope, start = np.polyfit(FACES, means, 1)
    return {
        "faces_ms": {_faces(faces): row for faces, row in rows.items()},
        "faces_slope_ms": round(float(slope), 3),
        "faces_start_ms": round(float(start), 3),
        "faces_slope_cpu_ms": round(float(np.polyfit(FACES, cpu, 1)[0]), 3),
        "faces_slope_networks_ms": round(float(np.polyfit(FACES, networks, 1)[0]), 3),
        "faces_linearity": round(float(np.corrcoef(FACES, means)[0, 1]), 4),
    }


def measure_sizes(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Measure the pipeline on ``count`` frames of the same clip in each size.

    Returns:
        sizes_ms: median, mean, p95 and CPU time of the pipeline, and the conversion of an rgb8 image, which bgr8 does
            not need.
    """
    rows = {}
    for name, (width, height) in progress(SIZES.items(), "sizes", len(SIZES), "clips"):
        clip = resized(frames[:_CLIP_FRAMES], width, height)
        rgb = cv2.cvtColor(clip[0].image, cv2.COLOR_BGR2RGB)
        conversion = median_ms(partial(cv2.cvtColor, rgb, cv2.COLOR_RGB2BGR), 20)
        rows[name] = {**_measure(clip, count, {}), "rgb8": conversion}
    return {"sizes_ms": rows}


def measure_memory(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Growth of resident memory from frame 500 (at most the middle) to the last of ``count`` frames, MB."""
    pipeline = Pipeline(PerceptionConfig())
    before = memory_mb("self", "VmRSS")
    for number, frame in enumerate(progress(played(frames, count), "memory", count)):
        pipeline(frame)
        if number == min(_SETTLE, count // 2):
            before = memory_mb("self", "VmRSS")
    pipeline.close()
    return {"memory_frames": count, "memory_growth_mb": round(memory_mb("self", "VmRSS") - before, 1)}


def _measure(frames: Sequence[Frame], count: int, changes: dict[str, Any]) -> dict[str, float]:
    """Milliseconds per frame, the mean CPU time of the networks, and the mean number of tracked faces."""
    pipeline = Pipeline(from_mapping(PerceptionConfig, changes))
    times, tracked, in_networks = Times(), 0, 0.0
    for number, frame in enumerate(played(frames, _WARM_UP + count)):
        if number < _WARM_UP:
            pipeline(frame)
        else:
            with timed_runs() as seconds:
                tracked += len(times.run(partial(pipeline, frame)))
            in_networks += sum(seconds)
    pipeline.close()
    networks = round(in_networks / count * 1e3, 3)
    return {**times.summary(), "networks": networks, "followed": round(tracked / count, 2)}


def _faces(count: int) -> str:
    return f"{count} face{'s' * (count > 1)}"
