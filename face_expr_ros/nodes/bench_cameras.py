"""Several cameras: one process that serves them all, and a process for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from face_expr_ros.evaluation.bench.clock import cpu_seconds, memory_mb, own_share_mb, percentiles
from face_expr_ros.msg import FaceArray
from face_expr_ros.nodes.bench_processes import Listener, Worker

RATE = 15.0  # Hz, of each camera
SETTLE = 2.0  # seconds until all of them are at work


def several_cameras(film: Path, counts: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """Cameras of 15 Hz each, served both ways.

    Returns:
        cameras: by the number of cameras and processes: answers per second of all together, p50, p95 and p99 from
            stamp to receipt, processor time of a frame, memory of all processes (what they share counted once).
    """
    rows: dict[str, Any] = {}
    for count in counts:
        for processes in sorted({1, count}):
            name = f"{count} camera{'s' * (count > 1)}, {processes} process{'es' * (processes > 1)}"
            rows[name] = _measure(film, count, processes, seconds)
    return {"cameras": rows}


def _measure(film: Path, count: int, processes: int, seconds: float) -> dict[str, Any]:
    namespaces = [f"/camera{number}" for number in range(1, count + 1)]
    listener = Listener()
    heard = [listener.listen(FaceArray, f"{namespace}/faces") for namespace in namespaces]
    servers = [_server(served) for served in ([namespaces] if processes == 1 else [[one] for one in namespaces])]
    cameras: list[Worker] = []
    try:
        count_subscribers = listener.node.count_subscribers
        topics = [f"{namespace}/image" for namespace in namespaces]
        listener.until(lambda: all(map(count_subscribers, topics)), "perception of all cameras", servers)
        cameras += [_camera(film, namespace) for namespace in namespaces]
        workers = [*servers, *cameras]
        listener.until(lambda: all(heard), "faces of all cameras", workers)
        listener.during(SETTLE, workers)
        for answers in heard:
            answers.clear()
        cpu = sum(cpu_seconds(server.pid) for server in servers)
        listener.during(seconds, workers)
        cpu = sum(cpu_seconds(server.pid) for server in servers) - cpu
        memory = sum(own_share_mb(server.pid) for server in servers)
        peak = sum(memory_mb(server.pid, "VmHWM") for server in servers)
        for camera in cameras:
            json.loads(camera.stop())
    finally:
        for worker in [*cameras, *servers]:
            worker.close()
        listener.close()
    delays = [(arrival - stamp) / 1e9 for answers in heard for stamp, arrival in answers]
    return {
        "wanted": count * RATE,
        "answers": round(len(delays) / seconds, 1),
        "least": round(min(map(len, heard)) / seconds, 1),
        **percentiles(delays),
        "cpu_ms": round(cpu / max(len(delays), 1) * 1e3, 2),
        "memory_mb": round(memory, 1),
        "peak_mb": round(peak, 1),
    }


def _server(namespaces: list[str]) -> Worker:
    if len(namespaces) == 1:
        return Worker("perception", "--ros-args", "-r", f"__ns:={namespaces[0]}")
    return Worker("perception", "--namespaces", *namespaces)


def _camera(film: Path, namespace: str) -> Worker:
    return Worker("bench_camera", str(film), "--rate", str(RATE), "--ros-args", "-r", f"__ns:={namespace}")
