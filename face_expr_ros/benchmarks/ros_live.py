"""End-to-end benchmark of the perception node with a camera and a listener in three processes."""

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
SETTLE = 1.5  # seconds from the first result to the start of the measurement
TAIL = 0.5  # seconds before the end that are excluded, because their results may not have arrived yet
_PARTS = 5  # the first and the last fifth of a run are compared

Received = list[tuple[int, int]]


@dataclass(frozen=True)
class Run:
    """One run: images per second, and whether the mesh is subscribed."""

    rate: float
    mesh: bool

    @property
    def name(self) -> str:
        return f"{self.rate:g} Hz{', mesh' * self.mesh}"


RUNS = (Run(30.0, mesh=False), Run(60.0, mesh=False), Run(30.0, mesh=True), Run(60.0, mesh=True))


def end_to_end(clip: Path, seconds: Sequence[float]) -> dict[str, Any]:
    """Measure the latency from an image's stamp to the arrival of the results in another process.

    Args:
        clip: 1280x720 frames for `ros_camera`.
        seconds: duration of each of `RUNS`.

    Returns:
        end_to_end_ms: p50, p95 and p99 at 30 Hz without mesh. end_to_end: all runs. peak_memory_mb: peak of the node's
        process in all runs; start_memory_mb: before the first image.
    """
    listener = Listener()
    perception = Child("nodes.perception", "--ros-args", "-r", f"__ns:={NAMESPACE}")
    try:
        topic = f"{NAMESPACE}/image"
        listener.spin_until(lambda: listener.node.count_subscribers(topic), "the image subscription", [perception])
        start = memory_mb(perception.pid, "VmRSS")
        rows = {run.name: _run(run, listener, perception, clip, time) for run, time in zip(RUNS, seconds, strict=True)}
    finally:
        perception.close()
        listener.close()
    return {
        "end_to_end_ms": rows[RUNS[0].name]["faces_ms"],
        "end_to_end": rows,
        "start_memory_mb": start,
        "peak_memory_mb": max(row["peak_memory_mb"] for row in rows.values()),
    }


def _run(run: Run, listener: Listener, perception: Child, clip: Path, seconds: float) -> dict[str, Any]:
    faces = listener.subscribe(FaceArray, f"{NAMESPACE}/faces")
    meshes = listener.subscribe(Marker, f"{NAMESPACE}/mesh_markers") if run.mesh else []
    arguments = ("--rate", str(run.rate), "--ros-args", "-r", f"__ns:={NAMESPACE}")
    camera = Child("benchmarks.ros_camera", str(clip), *arguments)
    children = [perception, camera]
    try:
        first = meshes if run.mesh else faces
        listener.spin_until(lambda: first, "the first result", children)
        listener.spin_for(SETTLE, children)
        cpu, resident, before = cpu_seconds(perception.pid), memory_mb(perception.pid, "VmRSS"), len(faces)
        start = faces[-1][1]
        listener.spin_for(seconds, children)
        listener.spin_until(lambda: len(faces) > before, "another result", children)
        cpu = cpu_seconds(perception.pid) - cpu
        end, results = faces[-1][1], len(faces) - before
        camera.stop()
        published = json.loads(camera.output)
    finally:
        camera.close()
        listener.unsubscribe_all()
    counted = [stamp for stamp in published if start <= stamp <= end - int(TAIL * 1e9)]
    answered = {stamp for stamp, _ in faces}
    latencies = _latencies(faces, start)
    return {
        "published": len(counted),
        "answered": sum(stamp in answered for stamp in counted),
        "fps": round(results / max((end - start) / 1e9, 1e-9), 2),
        "faces_ms": percentiles(latencies),
        **({"mesh_ms": percentiles(_latencies(meshes, start))} if run.mesh else {}),
        "growth_ms": _growth_ms(latencies),
        "cpu_seconds_per_frame": round(cpu / max(results, 1), 5),
        "peak_memory_mb": memory_mb(perception.pid, "VmHWM"),
        "memory_growth_mb": round(memory_mb(perception.pid, "VmRSS") - resident, 1),
    }


def _latencies(received: Received, start: int) -> list[float]:
    """Seconds from stamp to arrival of the messages that arrived after ``start``."""
    return [(arrival - stamp) / 1e9 for stamp, arrival in received if arrival > start]


def _growth_ms(latencies: Sequence[float]) -> float | None:
    """Median latency of the last part of a run minus that of the first part."""
    part = len(latencies) // _PARTS
    return round(float(np.median(latencies[-part:]) - np.median(latencies[:part])) * 1e3, 2) if part else None
