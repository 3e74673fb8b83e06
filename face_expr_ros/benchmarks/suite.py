"""`face_expr bench`: runs all benchmarks."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.annotation import measure_annotation
from face_expr_ros.benchmarks.clips import person
from face_expr_ros.benchmarks.fitting import measure_fitting
from face_expr_ros.benchmarks.floor import measure_floor
from face_expr_ros.benchmarks.machine import machine
from face_expr_ros.benchmarks.pipeline import measure_faces, measure_memory, measure_sizes
from face_expr_ros.benchmarks.ros_cameras import FRAMES, several_cameras
from face_expr_ros.benchmarks.ros_live import end_to_end
from face_expr_ros.benchmarks.ros_outputs import measure_outputs
from face_expr_ros.core.types import Frame
from face_expr_ros.ros.environment import prepare_environment


@dataclass(frozen=True)
class Workload:
    """Amount of work of each benchmark.

    Attributes:
        frames: frames for pipeline and floor.
        faces_frames, size_frames: frames for each number of faces and each size.
        memory_frames: frames over which memory is measured.
        runs, object_runs: runs of each publication, and of the marker as message objects, which takes a second.
        live_seconds: duration of the four end-to-end runs: 30 and 60 Hz, without and with mesh.
        cameras, camera_seconds: numbers of cameras, and the duration for each.
        annotated_frames: images of the annotated bag.
    """

    frames: int
    faces_frames: int
    size_frames: int
    memory_frames: int
    runs: int
    object_runs: int
    live_seconds: tuple[float, ...]
    cameras: tuple[int, ...]
    camera_seconds: float
    annotated_frames: int = 600


QUICK = Workload(300, 40, 30, 300, 50, 2, (5.0, 5.0, 5.0, 5.0), (), 0.0)
FULL = Workload(3000, 200, 200, 10_000, 300, 5, (30.0, 30.0, 30.0, 60.0), (1, 2, 4), 15.0, 3000)


def measure(workload: Workload) -> dict[str, Any]:
    """Run all benchmarks, those within one process first.

    Returns:
        What `measure_floor`, `measure_outputs`, `end_to_end`, `measure_faces`, `measure_sizes`, `measure_memory`,
        `measure_annotation`, `measure_fitting`, `several_cameras` and `machine` return.

    Raises:
        BenchError: a process exits unexpectedly, or messages are not received.
    """
    prepare_environment()
    result: dict[str, Any] = {"machine": machine()}
    _print_status("rendering the frames ...")
    clip = person()
    result |= measure_floor(clip, workload.frames)
    _print_status("measuring publishers ...")
    result |= measure_outputs(clip, workload.runs, workload.object_runs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.npy"
        np.save(file, np.array([frame.image for frame in clip[:FRAMES]]))
        _print_status(f"measuring camera, perception and listener for {sum(workload.live_seconds):g} s ...")
        result |= end_to_end(file, workload.live_seconds)
        if workload.cameras:
            _print_status("measuring several cameras ...")
            result |= several_cameras(file, workload.cameras, workload.camera_seconds)
    result |= measure_faces(workload.faces_frames)
    result |= measure_sizes(clip, workload.size_frames)
    result |= measure_memory(clip, workload.memory_frames)
    result |= _measure_annotation(clip, workload.annotated_frames)
    _print_status("measuring the fitting network ...")
    result |= measure_fitting()
    result["machine"]["load_at_end"] = machine()["load"]
    return result


def _measure_annotation(clip: Sequence[Frame], frames: int) -> dict[str, Any]:
    """What `measure_annotation` returns; nothing where rosbags is not installed."""
    if find_spec("rosbags") is None:
        _print_status("the annotation of a bag is left out: pip install rosbags")
        return {}
    _print_status("measuring the annotation of a bag ...")
    return measure_annotation(clip, frames)


def _print_status(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
