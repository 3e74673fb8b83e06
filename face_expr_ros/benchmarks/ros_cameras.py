"""Several cameras: one process that serves them all, and a process for each.

`python -m face_expr_ros.benchmarks.ros_cameras 2 4 --rate 30` measures just this.
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
from face_expr_ros.benchmarks.clock import cpu_seconds, memory_mb, own_share_mb, percentiles
from face_expr_ros.benchmarks.ros_listener import Listener
from face_expr_ros.benchmarks.table import table
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child
from face_expr_ros.ros.environment import prepare_environment

RATE = 15.0  # Hz, of each camera
FRAMES = 30  # of the film
SETTLE = 2.0  # seconds until all of them are at work


def several_cameras(film: Path, counts: Sequence[int], seconds: float, rate: float = RATE) -> dict[str, Any]:
    """Cameras of ``rate`` Hz each that show the same film, served both ways.

    Returns:
        cameras: by the number of cameras and processes: answers per second of all together, p50, p95 and p99 from
            stamp to receipt, processor time of a frame, memory of all processes (what they share counted once).
    """
    rows: dict[str, Any] = {}
    for count in counts:
        for processes in sorted({1, count}):
            name = f"{count} camera{'s' * (count > 1)}, {processes} process{'es' * (processes > 1)}"
            rows[name] = _measure(film, count, processes, seconds, rate)
    return {"cameras": rows}


def _measure(film: Path, count: int, processes: int, seconds: float, rate: float) -> dict[str, Any]:
    namespaces = [f"/camera{number}" for number in range(1, count + 1)]
    listener = Listener()
    heard = [listener.listen(FaceArray, f"{namespace}/faces") for namespace in namespaces]
    servers = [_server(served) for served in ([namespaces] if processes == 1 else [[one] for one in namespaces])]
    cameras: list[Child] = []
    try:
        count_subscribers = listener.node.count_subscribers
        topics = [f"{namespace}/image" for namespace in namespaces]
        listener.until(lambda: all(map(count_subscribers, topics)), "perception of all cameras", servers)
        cameras += [_camera(film, namespace, rate) for namespace in namespaces]
        children = [*servers, *cameras]
        listener.until(lambda: all(heard), "faces of all cameras", children)
        listener.during(SETTLE, children)
        for answers in heard:
            answers.clear()
        started, cpu = time.monotonic(), sum(cpu_seconds(server.pid) for server in servers)
        listener.during(seconds, children)
        listener.until(lambda: all(heard), "faces of all cameras", children)
        taken = time.monotonic() - started
        cpu = sum(cpu_seconds(server.pid) for server in servers) - cpu
        memory = sum(own_share_mb(server.pid) for server in servers)
        peak = sum(memory_mb(server.pid, "VmHWM") for server in servers)
    finally:
        for child in [*cameras, *servers]:
            child.close()
        listener.close()
    delays = [(arrival - stamp) / 1e9 for answers in heard for stamp, arrival in answers]
    return {
        "wanted": count * rate,
        "answers": round(len(delays) / taken, 1),
        "least": round(min(map(len, heard)) / taken, 1),
        **percentiles(delays),
        "cpu_ms": round(cpu / max(len(delays), 1) * 1e3, 2),
        "memory_mb": round(memory, 1),
        "peak_mb": round(peak, 1),
    }


def _server(namespaces: list[str]) -> Child:
    if len(namespaces) == 1:
        return Child("perception", "--ros-args", "-r", f"__ns:={namespaces[0]}")
    return Child("perception", "--namespaces", *namespaces)


def _camera(film: Path, namespace: str, rate: float) -> Child:
    return Child("bench_camera", str(film), "--rate", str(rate), "--ros-args", "-r", f"__ns:={namespace}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+", help="numbers of cameras")
    parser.add_argument("--rate", type=float, default=RATE, help="Hz, of each camera")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    options = parser.parse_args()
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.npy"
        np.save(film, np.array([frame.image for frame in person(FRAMES)]))
        print(table(several_cameras(film, options.counts, options.seconds, options.rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
