"""The benchmark: the demo's two nodes with nobody but this process listening to the faces."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import serialize_message
from visualization_msgs.msg import Marker

from face_expr_ros.nodes.demo import Demo, prepare_environment, watch
from face_expr_ros.ros.marker_cdr import MarkerWriter, marker_object
from face_expr_ros.ros.show import Show


class Bench(Demo):
    """Listens to faces and diagnostics only.

    Attributes:
        stages_ms: what perception says of its stages, for every second of the run with an image.
    """

    def __init__(self, show: Show | None) -> None:
        super().__init__(show)
        self.stages_ms: list[dict[str, float]] = []
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            stages = {key.removesuffix(" [ms]"): float(value) for key, value in values.items() if key.endswith("[ms]")}
            if any(stages.values()):  # a second without an image says nothing of them
                self.stages_ms.append(stages)


def end_to_end(seconds: float) -> dict[str, Any]:
    """From an image's stamp to the arrival of its FaceArray in another process, and perception's stages.

    The synthetic camera publishes 1280x720 at 30 Hz on the same machine.
    """
    prepare_environment()
    bench = watch(Bench, None, {"source": "synthetic"}, {"bundle": "open"}, seconds)
    result = bench.report()
    names = bench.stages_ms[-1] if bench.stages_ms else {}
    middle = {name: sorted(row.get(name, 0.0) for row in bench.stages_ms)[len(bench.stages_ms) // 2] for name in names}
    return {"end_to_end_ms": result["latency_ms"], "fps": result["fps"], "node_stages_ms": middle}


def marker_speedup(points: int = 30_000, repeats: int = 5) -> float:
    """How many times faster a mesh marker of so many points is written as CDR bytes than as message objects."""
    random = np.random.default_rng(0)
    positions, colors = random.normal(size=(points, 3)), random.random((points, 4), dtype=np.float32)
    header = Marker(type=Marker.TRIANGLE_LIST)

    def seconds(write: Callable[[], object]) -> float:
        started = time.perf_counter()
        write()
        return time.perf_counter() - started

    writer = MarkerWriter()
    fast = min(seconds(lambda: writer(header, positions, colors)) for _ in range(repeats))
    slow = min(seconds(lambda: serialize_message(marker_object(header, positions, colors))) for _ in range(repeats))
    return round(slow / fast, 1)
