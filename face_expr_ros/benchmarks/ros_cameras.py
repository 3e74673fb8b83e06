"""Benchmark of several cameras, processed by one process or by one process per camera.

`python -m face_expr_ros.benchmarks.ros_cameras 2 4 --rate 30` runs only this benchmark.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.benchmarks.clips import person
from face_expr_ros.benchmarks.clock import cpu_seconds, memory_mb, percentiles, pss_mb
from face_expr_ros.benchmarks.ros_listener import Listener
from face_expr_ros.benchmarks.table import table
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child
from face_expr_ros.ros.environment import prepare_environment

RATE = 15.0  # Hz, of each camera
FRAMES = 30  # of the clip
SETTLE = 2.0  # seconds from the first results to the start of the measurement


def several_cameras(clip: Path, counts: Sequence[int], seconds: float, rate: float = RATE) -> dict[str, Any]:
    """Measure cameras that publish the same clip, with one process for all and with one process each.

    Args:
        clip: frames for `ros_camera`.
        counts: numbers of cameras.
        seconds: duration of each measurement.
        rate: frames per second of each camera.

    Returns:
        cameras: by number of cameras and processes: total results per second, p50, p95 and p99 of the latency from
            stamp to receipt, CPU time per frame, memory of all processes (shared memory counted once).
    """
    rows: dict[str, Any] = {}
    for count in counts:
        for processes in sorted({1, count}):
            name = f"{count} camera{'s' * (count > 1)}, {processes} process{'es' * (processes > 1)}"
            rows[name] = _measure(clip, count, processes, seconds, rate)
    return {"cameras": rows}


def _measure(clip: Path, count: int, processes: int, seconds: float, rate: float) -> dict[str, Any]:
    namespaces = [f"/camera{number}" for number in range(1, count + 1)]
    listener = Listener()
    received = [listener.subscribe(FaceArray, f"{namespace}/faces") for namespace in namespaces]
    groups = [namespaces] if processes == 1 else [[namespace] for namespace in namespaces]
    perceptions = [_perception(group) for group in groups]
    cameras: list[Child] = []
    try:
        count_subscribers = listener.node.count_subscribers
        topics = [f"{namespace}/image" for namespace in namespaces]
        listener.spin_until(lambda: all(map(count_subscribers, topics)), "perception of all cameras", perceptions)
        cameras += [_camera(clip, namespace, rate) for namespace in namespaces]
        children = [*perceptions, *cameras]
        listener.spin_until(lambda: all(received), "faces of all cameras", children)
        listener.spin_for(SETTLE, children)
        for results in received:
            results.clear()
        started, cpu = time.monotonic(), sum(cpu_seconds(child.pid) for child in perceptions)
        listener.spin_for(seconds, children)
        listener.spin_until(lambda: all(received), "faces of all cameras", children)
        duration = time.monotonic() - started
        cpu = sum(cpu_seconds(child.pid) for child in perceptions) - cpu
        memory = sum(pss_mb(child.pid) for child in perceptions)
        peak = sum(memory_mb(child.pid, "VmHWM") for child in perceptions)
    finally:
        for child in [*cameras, *perceptions]:
            child.close()
        listener.close()
    latencies = [(arrival - stamp) / 1e9 for results in received for stamp, arrival in results]
    return {
        "wanted": count * rate,
        "answers": round(len(latencies) / duration, 1),
        "least": round(min(map(len, received)) / duration, 1),
        **percentiles(latencies),
        "cpu_ms": round(cpu / max(len(latencies), 1) * 1e3, 2),
        "memory_mb": round(memory, 1),
        "peak_mb": round(peak, 1),
    }


def _perception(namespaces: list[str]) -> Child:
    if len(namespaces) == 1:
        return Child("nodes.perception", "--ros-args", "-r", f"__ns:={namespaces[0]}")
    return Child("nodes.perception", "--namespaces", *namespaces)


def _camera(clip: Path, namespace: str, rate: float) -> Child:
    arguments = ("--rate", str(rate), "--ros-args", "-r", f"__ns:={namespace}")
    return Child("benchmarks.ros_camera", str(clip), *arguments)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+", help="numbers of cameras")
    parser.add_argument("--rate", type=float, default=RATE, help="rate of each camera, Hz")
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    options = parser.parse_args()
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.npy"
        np.save(clip, np.array([frame.image for frame in person(FRAMES)]))
        print(table(several_cameras(clip, options.counts, options.seconds, options.rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
