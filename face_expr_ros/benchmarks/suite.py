"""`face_expr bench`: everything that is measured, in one report."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.clips import person
from face_expr_ros.benchmarks.fitting import measure_fitting
from face_expr_ros.benchmarks.floor import measure_floor
from face_expr_ros.benchmarks.machine import machine
from face_expr_ros.benchmarks.pipeline import measure_faces, measure_memory, measure_sizes
from face_expr_ros.benchmarks.ros_cameras import FRAMES, several_cameras
from face_expr_ros.benchmarks.ros_live import end_to_end
from face_expr_ros.benchmarks.ros_outputs import measure_outputs
from face_expr_ros.ros.environment import prepare_environment


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        frames: with pipeline and floor; faces_frames, size_frames: for each number of faces, each size.
        memory_frames: of the pipeline alone.
        runs, ordinary_runs: of each publication, and of the ordinary marker, which takes a second.
        live_seconds: of the four runs with a camera: 30 and 60 Hz, then the same with the mesh.
        cameras, camera_seconds: numbers of cameras that are tried, and how long each.
    """

    frames: int
    faces_frames: int
    size_frames: int
    memory_frames: int
    runs: int
    ordinary_runs: int
    live_seconds: tuple[float, ...]
    cameras: tuple[int, ...]
    camera_seconds: float


QUICK = Extent(300, 40, 30, 300, 50, 2, (5.0, 5.0, 5.0, 5.0), (), 0.0)
FULL = Extent(3000, 200, 200, 10_000, 300, 5, (30.0, 30.0, 30.0, 60.0), (1, 2, 4), 15.0)


def measure(extent: Extent) -> dict[str, Any]:
    """Run everything, the quiet single measurements first.

    Returns:
        What `measure_floor`, `measure_outputs`, `end_to_end`, `measure_faces`, `measure_sizes`, `measure_memory`,
        `measure_fitting`, `several_cameras` and `machine` return.

    Raises:
        BenchError: a process ended by itself, or nothing came from one to another.
    """
    prepare_environment()
    result: dict[str, Any] = {"machine": machine()}
    _say("drawing the frames ...")
    film = person()
    result |= measure_floor(film, extent.frames)
    _say("publishing ...")
    result |= measure_outputs(film, extent.runs, extent.ordinary_runs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.npy"
        np.save(file, np.array([frame.image for frame in film[:FRAMES]]))
        _say(f"camera, perception and a listener for {sum(extent.live_seconds):g} s ...")
        result |= end_to_end(file, extent.live_seconds)
        if extent.cameras:
            _say("several cameras ...")
            result |= several_cameras(file, extent.cameras, extent.camera_seconds)
    result |= measure_faces(extent.faces_frames)
    result |= measure_sizes(film, extent.size_frames)
    result |= measure_memory(film, extent.memory_frames)
    _say("the fit by a network ...")
    result |= measure_fitting()
    result["machine"]["load_at_end"] = machine()["load"]
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
