"""Subscribes to the ROS4HRI topics of the faces that are tracked at a time."""

from __future__ import annotations

from typing import Any

from sensor_msgs.msg import Image

from face_expr_ros.benchmarks.soak.monitor import Monitor
from face_expr_ros.ros.hri import FACES
from face_expr_ros.ros.hri_messages import HriTypes


class HriWatch:
    """Watches ``tracked`` and, for each id in it, all topics of the face, as a person manager does."""

    def __init__(self, monitor: Monitor, types: HriTypes) -> None:
        self._monitor = monitor
        self._types = {
            "roi": types.roi,
            "cropped": Image,
            "landmarks": types.landmarks,
            "facs": types.facs,
            "expression": types.expression,
        }
        self._present: set[str] = set()
        monitor.watch("hri tracked", types.ids, f"{FACES}/tracked", 10, self._on_tracked)

    def _on_tracked(self, message: Any) -> None:
        present = set(message.ids)
        if len(present) < len(message.ids):
            self._monitor.violations["hri tracked", "an id occurs twice"] += 1
        for topic, kind in self._types.items():
            for face_id in self._present - present:
                self._monitor.unwatch(f"hri {topic}", face_id)
            for face_id in present - self._present:
                self._monitor.watch(f"hri {topic}", kind, f"{FACES}/{face_id}/{topic}", key=face_id)
        self._present = present
