"""Statistics of a demo run: images, results and latency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

STATUS_WINDOW = 2.0  # seconds over which the status line averages


@dataclass
class DemoStatistics:
    """Counts of one run; times in seconds of one monotonic clock.

    Attributes:
        images: stamps of the published images, nanoseconds.
        arrivals: arrival time of each FaceArray.
        answered: stamps of the images whose FaceArray has arrived, nanoseconds.
        latencies: time from each image's stamp to the arrival of its FaceArray, seconds.
        counts: number of faces in each FaceArray.
        ids: the ids of all faces as keys, in the order of their first appearance.
    """

    images: set[int] = field(default_factory=set)
    arrivals: list[float] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    ids: dict[str, None] = field(default_factory=dict)

    def add(self, now: float, stamp_ns: int, latency: float, ids: list[str]) -> None:
        """Record the FaceArray of the image with the same stamp."""
        self.images.add(stamp_ns)
        self.answered.add(stamp_ns)
        self.arrivals.append(now)
        self.latencies.append(latency)
        self.counts.append(len(ids))
        self.ids.update(dict.fromkeys(ids))

    def last_is_answered(self) -> bool:
        """Whether the FaceArray of the latest image has arrived."""
        return bool(self.images) and max(self.images) in self.answered

    def fps(self) -> float:
        """FaceArrays per second from the first to the last."""
        duration = self.arrivals[-1] - self.arrivals[0] if self.arrivals else 0.0
        return (len(self.arrivals) - 1) / duration if duration > 0 else 0.0

    def status_line(self, now: float) -> str:
        """The current state in one line."""
        recent = sum(1 for arrival in self.arrivals[-1000:] if arrival > now - STATUS_WINDOW)
        faces = self.counts[-1] if self.counts else 0
        latency = np.median(self.latencies[-max(recent, 1) :]) * 1e3 if self.latencies else 0.0
        return (
            f"frames {len(self.images)} in, {len(self.arrivals)} out | faces {faces} | "
            f"{recent / STATUS_WINDOW:.1f} fps | latency {latency:.1f} ms"
        )

    def summary(self) -> dict[str, Any]:
        """The run as JSON values."""
        milliseconds = np.array(self.latencies or [np.nan]) * 1e3
        percentiles = {f"p{p}": _rounded(np.percentile(milliseconds, p)) for p in (50, 95, 99)}
        return {
            "frames_in": len(self.images),
            "frames_out": len(self.arrivals),
            "frames_with_face": sum(count > 0 for count in self.counts),
            "fps": round(self.fps(), 2),
            "latency_ms": percentiles,
            "faces_max": max(self.counts, default=0),
            "ids": list(self.ids),
        }


def _rounded(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if np.isnan(value) else round(float(value), 2)
