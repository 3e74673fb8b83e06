"""Benchmark of the landmark backends, each in a process of its own: start, time of a frame, memory.

``python -m face_expr_ros.benchmarks.backends`` prints one line per backend; with ``--task`` also for those that need
MediaPipe's face_landmarker.task. ROS is not used.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.clips import FIELD_OF_VIEW, RATE, person
from face_expr_ros.benchmarks.clock import Times, memory_mb
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.settings import from_mapping
from face_expr_ros.core.types import Frame
from face_expr_ros.perception.mediapipe_version import has_mediapipe, has_solutions
from face_expr_ros.perception.pipeline import Pipeline

FRAMES, _WARM_UP = 300, 60
WIDTH, HEIGHT = 1280, 720  # of the clip
# Landmark backend -> detection backend.
DETECTORS = {
    "facemesh": "blazeface",
    "facemesh_v2": "blazeface",
    "mediapipe_solutions": "mediapipe",
    "mediapipe_tasks": "blazeface",
}


def settings_of(backend: str, task: str) -> dict[str, Any]:
    """The parameters of a landmark backend, with the detector that goes with it."""
    return {
        "landmarks.backend": backend,
        "landmarks.model_path": task,
        "detection.backend": DETECTORS[backend],
    }


def available(task: str) -> list[str]:
    """The backends that can run here."""
    backends = ["facemesh"]
    if task:
        backends += ["facemesh_v2", *(["mediapipe_tasks"] if has_mediapipe() else [])]
    return backends + (["mediapipe_solutions"] if has_solutions() else [])


def measure(backend: str, task: str = "", frames: int = FRAMES) -> dict[str, float]:
    """Run a backend in a new process, on frames of 1280x720 with one person.

    Returns:
        ``first_face_s``: seconds from the start of the process to the first faces. ``frame_ms``, ``cpu_ms``: median
        wall-clock time and mean CPU time of a frame, milliseconds. ``landmarks_ms``: median of the stage.
        ``memory_mb``: peak of the resident memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip"
        np.array([frame.image for frame in person()]).tofile(clip)
        command = [sys.executable, "-m", __spec__.name, "--run", backend, str(clip), str(frames), "--task", task]
        started = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    result["first_face_s"] = round(result["first_face_s"] - started, 2)
    return result


def _run(backend: str, clip: Path, frames: int, task: str) -> dict[str, float]:
    size, count = WIDTH * HEIGHT * 3, clip.stat().st_size // (WIDTH * HEIGHT * 3)
    camera = pinhole_camera(WIDTH, HEIGHT, FIELD_OF_VIEW)
    pipeline = Pipeline(from_mapping(PerceptionConfig, settings_of(backend, task)))
    times, stage, first_face = Times(), [], 0.0
    for number in range(_WARM_UP + frames):
        image = np.fromfile(clip, np.uint8, size, offset=number % count * size).reshape(HEIGHT, WIDTH, 3)
        frame = Frame(image, round(number / RATE * 1e9), "camera_optical_frame", camera)
        faces = times.run(partial(pipeline, frame))
        stage.append(pipeline.stage_seconds["landmarks"])
        if faces and not first_face:
            first_face = time.monotonic()  # the same clock in all processes
        if number + 1 == _WARM_UP:
            times, stage = Times(), []
    pipeline.close()
    summary = times.summary()
    return {
        "first_face_s": first_face,
        "frame_ms": summary["median"],
        "cpu_ms": summary["cpu"],
        "landmarks_ms": round(float(np.median(stage)) * 1e3, 3),
        "memory_mb": memory_mb("self", "VmHWM"),
    }


def main() -> None:
    """The command line; with the internal option ``--run`` the process of one backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="", help="MediaPipe's face_landmarker.task")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        backend, clip, frames = options.run
        print(json.dumps(_run(backend, Path(clip), int(frames), options.task)))
        return
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}")
    for backend in available(options.task):
        figures = measure(backend, options.task)
        print(f"{backend:20}", "  ".join(f"{name} {value:g}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
