"""Limits of the perception node: CPU time without a face in view, time to the first face, and images of 4K.

`python -m face_expr_ros.benchmarks.ros_limits` runs all of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.benchmarks.clips import RATE, person, resized
from face_expr_ros.benchmarks.clock import cpu_seconds, percentiles
from face_expr_ros.benchmarks.ros_listener import Listener
from face_expr_ros.benchmarks.table import table
from face_expr_ros.core.types import Frame
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros.child_process import Child
from face_expr_ros.ros.environment import prepare_environment

NAMESPACE = "/limits"
_SETTLE = 4.0  # seconds from the first message; processes start, and the detector looks for small faces
_FRAMES = 4  # of a clip of 4K: 100 MB
_STARTS = 3
_WITH_FACE = 1000  # bytes; a FaceArray without faces is smaller


def measure_limits(clip: Sequence[Frame], seconds: float) -> dict[str, Any]:
    """Measure with a camera, the node and a listener in three processes.

    Args:
        clip: frames of 1280x720 with one person.
        seconds: duration of each measurement.

    Returns:
        idle_cpu: by size, the CPU time of the node in percent of one core, for 30 images per second without a face.
        start_seconds: from the start of the node's process to the first FaceArray with a face, several times.
        uhd: by transport, for 30 images of 3840x2160 per second with a face: results per second, latency from stamp to
            receipt, and CPU time of the node per image. Raw images, and JPEG.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.npy"
        idle = {}
        for name, (width, height) in {"720p": (1280, 720), "1080p": (1920, 1080)}.items():
            np.save(path, _room(width, height))
            idle[name] = _idle(path, seconds)
        np.save(path, np.array([frame.image for frame in clip]))
        starts = [_start(path) for _ in range(_STARTS)]
        np.save(path, np.array([frame.image for frame in resized(clip[:_FRAMES], 3840, 2160)]))
        uhd = {transport: _uhd(path, transport, seconds) for transport in ("raw", "compressed")}
    return {"idle_cpu": idle, "start_seconds": starts, "uhd": uhd}


def _room(width: int, height: int) -> NDArray[np.uint8]:
    """(2, height, width, 3) images without a face: boxes before a wall, with the noise of a camera."""
    rng = np.random.default_rng(0)
    wall = np.linspace(90, 170, width)[None, :, None] * np.linspace(1.0, 0.7, height)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(wall, (height, width, 3)), np.float32)
    for _ in range(25):
        x, y = (int(value) for value in rng.uniform(0, 1, 2) * (width, height))
        size = (rng.uniform(0.05, 0.3, 2) * height).astype(int)
        cv2.rectangle(image, (x, y), (x + size[0], y + size[1]), rng.uniform(20, 235, 3).tolist(), cv2.FILLED)
    return np.clip(image + rng.normal(0, 3, (2, *image.shape)), 0, 255).astype(np.uint8)


def _perception(*parameters: str) -> Child:
    return Child("nodes.perception", "--ros-args", "-r", f"__ns:={NAMESPACE}", *parameters)


def _camera(clip: Path, *options: str) -> Child:
    return Child(
        "benchmarks.ros_camera", str(clip), "--rate", str(RATE), *options, "--ros-args", "-r", f"__ns:={NAMESPACE}"
    )


def _idle(clip: Path, seconds: float) -> float:
    """Percent of one core."""
    listener = Listener()
    faces = listener.subscribe(FaceArray, f"{NAMESPACE}/faces")
    children = [_perception(), _camera(clip)]
    try:
        listener.spin_until(lambda: faces, "faces", children)
        listener.spin_for(_SETTLE, children)
        started, cpu = time.monotonic(), cpu_seconds(children[0].pid)
        listener.spin_for(seconds, children)
        return round((cpu_seconds(children[0].pid) - cpu) / (time.monotonic() - started) * 100, 1)
    finally:
        _close(listener, children)


def _start(clip: Path) -> float:
    """Seconds to the first face."""
    listener = Listener()
    sizes: list[int] = []
    listener.node.create_subscription(
        FaceArray, f"{NAMESPACE}/faces", lambda message: sizes.append(len(message)), 10, raw=True
    )
    children = [_camera(clip)]
    try:
        listener.spin_for(_SETTLE, children)
        started = time.monotonic()
        children.append(_perception())
        listener.spin_until(lambda: any(size > _WITH_FACE for size in sizes), "a face", children)
        return round(time.monotonic() - started, 2)
    finally:
        _close(listener, children)


def _uhd(clip: Path, transport: str, seconds: float) -> dict[str, Any]:
    listener = Listener()
    faces = listener.subscribe(FaceArray, f"{NAMESPACE}/faces")
    children = [_perception("-p", f"image_transport:={transport}"), _camera(clip, "--transport", transport)]
    try:
        listener.spin_until(lambda: faces, "faces", children)
        listener.spin_for(_SETTLE, children)
        faces.clear()
        started, cpu = time.monotonic(), cpu_seconds(children[0].pid)
        listener.spin_for(seconds, children)
        listener.spin_until(lambda: faces, "faces", children)
        elapsed, cpu = time.monotonic() - started, cpu_seconds(children[0].pid) - cpu
    finally:
        _close(listener, children)
    latencies = percentiles([(arrival - stamp) / 1e9 for stamp, arrival in faces])
    return {"fps": round(len(faces) / elapsed, 1), **latencies, "cpu_ms": round(cpu / len(faces) * 1e3, 1)}


def _close(listener: Listener, children: Sequence[Child]) -> None:
    for child in children:
        child.close()
    listener.close()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    options = parser.parse_args()
    prepare_environment()
    print(table(measure_limits(person(_FRAMES), options.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
