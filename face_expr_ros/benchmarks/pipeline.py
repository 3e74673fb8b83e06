"""What changes the cost of the pipeline: the number of faces, the size of the image; and memory over a long run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from face_expr_ros.benchmarks.clips import MOST_FACES, group, played, resized
from face_expr_ros.benchmarks.clock import Times, median_ms, memory_mb
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.pipeline import Pipeline

FACES = (1, 2, 5, MOST_FACES)
SIZES = {"480p": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}
_SETTLED = 500  # frames after which memory should not grow any more
_WARM_UP = 20  # frames
_FEW = 4  # frames of a film in each size: enough, and 100 MB in 4K


def measure_faces(count: int) -> dict[str, Any]:
    """What each face costs, on ``count`` frames for each number of them.

    Returns:
        faces_ms: median, mean, p95 and processor time by the number of faces. faces_slope_ms: of the line through the
            means, which the detector's looks now and then are part of; faces_start_ms: its value for no face;
            faces_linearity: its correlation with the means. faces_slope_cpu_ms: of the line through processor times.
    """
    rows = {}
    for faces in progress(FACES, "number of faces", len(FACES), "films"):
        rows[faces] = _cost(group(faces), count, {"landmarks.max_faces": MOST_FACES})
    means, cpu = ([row[name] for row in rows.values()] for name in ("mean", "cpu"))
    slope, start = np.polyfit(FACES, means, 1)
    return {
        "faces_ms": {_faces(faces): row for faces, row in rows.items()},
        "faces_slope_ms": round(float(slope), 3),
        "faces_start_ms": round(float(start), 3),
        "faces_slope_cpu_ms": round(float(np.polyfit(FACES, cpu, 1)[0]), 3),
        "faces_linearity": round(float(np.corrcoef(FACES, means)[0, 1]), 4),
    }


def measure_sizes(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """The same picture in several sizes, on ``count`` frames each.

    Returns:
        sizes_ms: median, mean and p95 of the pipeline, and the conversion of an image from another order of colors,
            which bgr8 does not need.
    """
    rows = {}
    for name, (width, height) in progress(SIZES.items(), "sizes", len(SIZES), "films"):
        film = resized(frames[:_FEW], width, height)
        turned = cv2.cvtColor(film[0].image, cv2.COLOR_BGR2RGB)
        conversion = median_ms(partial(cv2.cvtColor, turned, cv2.COLOR_RGB2BGR), 20)
        rows[name] = {**_cost(film, count, {}), "rgb8": conversion}
    return {"sizes_ms": rows}


def measure_memory(frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """How resident memory grows from frame 500 (or the middle, of fewer) to the last of ``count`` frames, in MB."""
    pipeline = Pipeline(PerceptionConfig())
    settled = memory_mb("self", "VmRSS")
    for number, frame in enumerate(progress(played(frames, count), "memory", count)):
        pipeline(frame)
        if number == min(_SETTLED, count // 2):
            settled = memory_mb("self", "VmRSS")
    pipeline.close()
    return {"memory_frames": count, "memory_growth_mb": round(memory_mb("self", "VmRSS") - settled, 1)}


def _cost(frames: Sequence[Frame], count: int, changes: dict[str, Any]) -> dict[str, float]:
    """Milliseconds of a frame, and how many faces were followed in the mean."""
    pipeline = Pipeline(from_mapping(PerceptionConfig, changes))
    times, found = Times(), 0
    for number, frame in enumerate(played(frames, _WARM_UP + count)):
        if number < _WARM_UP:
            pipeline(frame)
        else:
            found += len(times.run(partial(pipeline, frame)))
    pipeline.close()
    return {**times.summary(), "followed": round(found / count, 2)}


def _faces(count: int) -> str:
    return f"{count} face{'s' * (count > 1)}"
