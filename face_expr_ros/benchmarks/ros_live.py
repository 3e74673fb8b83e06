"""The node end to end: a camera, the perception node and a listener, three processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from visualization_msgs.msg import Marker

from face_expr_ros.benchmarks.clock import cpu_seconds, memory_mb, percentiles
from face_expr_ros.benchmarks.ros_listener import Listener
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child

NAMESPACE = "/bench"
SETTLE = 1.5  # seconds from the first answer to the first that counts
TAIL = 0.5  # seconds before the end in which an image may still be without its answer
_PART = 5  # the first and the last fifth of a run are compared

Heard = list[tuple[int, int]]


@dataclass(frozen=True)
class Run:
    """One run: images per second, and whether somebody subscribes to the mesh."""

    rate: float
    mesh: bool

    @property
    def name(self) -> str:
        return f"{self.rate:g} Hz{', mesh' * self.mesh}"


RUNS = (Run(30.0, mesh=False), Run(60.0, mesh=False), Run(30.0, mesh=True), Run(60.0, mesh=True))


def end_to_end(film: Path, seconds: Sequence[float]) -> dict[str, Any]:
    """From an image's stamp to the arrival of what perception says of it in another process.

    Args:
        film: 1280x720 frames for the bench camera.
        seconds: of each of `RUNS`.

    Returns:
        end_to_end_ms: p50, p95 and p99 at 30 Hz without mesh. end_to_end: all runs. peak_memory_mb: of the node's
        process alone, with and without mesh; start_memory_mb: before the first image.
    """
    listener = Listener()
    perception = Child("perception", "--ros-args", "-r", f"__ns:={NAMESPACE}")
    try:
        topic = f"{NAMESPACE}/image"
        listener.until(lambda: listener.node.count_subscribers(topic), "perception", [perception])
        start = memory_mb(perception.pid, "VmRSS")
        rows = {run.name: _run(run, listener, perception, film, time) for run, time in zip(RUNS, seconds, strict=True)}
    finally:
        perception.close()
        listener.close()
    return {
        "end_to_end_ms": rows[RUNS[0].name]["faces_ms"],
        "end_to_end": rows,
        "start_memory_mb": start,
        "peak_memory_mb": max(row["peak_memory_mb"] for row in rows.values()),
    }


def _run(run: Run, listener: Listener, perception: Child, film: Path, seconds: float) -> dict[str, Any]:
    faces = listener.listen(FaceArray, f"{NAMESPACE}/faces")
    meshes = listener.listen(Marker, f"{NAMESPACE}/mesh_markers") if run.mesh else []
    camera = Child("bench_camera", str(film), "--rate", str(run.rate), "--ros-args", "-r", f"__ns:={NAMESPACE}")
    children = [perception, camera]
    try:
        wanted = meshes if run.mesh else faces
        listener.until(lambda: wanted, "the first answer", children)
        listener.during(SETTLE, children)
        cpu, resident, before = cpu_seconds(perception.pid), memory_mb(perception.pid, "VmRSS"), len(faces)
        begin = faces[-1][1]
        listener.during(seconds, children)
        listener.until(lambda: len(faces) > before, "another answer", children)
        cpu = cpu_seconds(perception.pid) - cpu
        end, answers = faces[-1][1], len(faces) - before
        camera.stop()
        published = json.loads(camera.output)
    finally:
        camera.close()
        listener.silence()
    late = int(TAIL * 1e9)
    counted = [stamp for stamp in published if begin <= stamp <= end - late]
    answered = {stamp for stamp, _ in faces}
    delays = _delays(faces, begin)
    return {
        "published": len(counted),
        "answered": sum(stamp in answered for stamp in counted),
        "fps": round(answers / max((end - begin) / 1e9, 1e-9), 2),
        "faces_ms": percentiles(delays),
        **({"mesh_ms": percentiles(_delays(meshes, begin))} if run.mesh else {}),
        "growth_ms": _growth_ms(delays),
        "cpu_seconds_per_frame": round(cpu / max(answers, 1), 5),
        "peak_memory_mb": memory_mb(perception.pid, "VmHWM"),
        "memory_growth_mb": round(memory_mb(perception.pid, "VmRSS") - resident, 1),
    }


def _delays(heard: Heard, begin: int) -> list[float]:
    """Seconds from stamp to arrival of what came after ``begin``."""
    return [(arrival - stamp) / 1e9 for stamp, arrival in heard if arrival > begin]


def _growth_ms(delays: Sequence[float]) -> float | None:
    """Median delay of the last part of a run less that of its first."""
    part = len(delays) // _PART
    return round(float(np.median(delays[-part:]) - np.median(delays[:part])) * 1e3, 2) if part else None
