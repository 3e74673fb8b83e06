"""What a demo counts: images in, faces out, how late."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

RECENT = 2.0  # seconds over which the live line averages


@dataclass
class DemoStatistics:
    """Counts of one run; times are seconds of one monotonic clock, latencies seconds.

    Attributes:
        images: stamps of the images that the camera published, in nanoseconds.
        arrivals: when each FaceArray came.
        answered: stamps of the images whose FaceArray came.
        latencies: from the image's stamp to the arrival of its FaceArray.
        counts: faces in each FaceArray.
        ids: of all faces, in the order in which they came, as keys.
    """

    images: set[int] = field(default_factory=set)
    arrivals: list[float] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    ids: dict[str, None] = field(default_factory=dict)

    def add(self, now: float, stamp_ns: int, latency: float, ids: list[str]) -> None:
        """One FaceArray came, the answer to the image of the same stamp."""
        self.images.add(stamp_ns)
        self.answered.add(stamp_ns)
        self.arrivals.append(now)
        self.latencies.append(latency)
        self.counts.append(len(ids))
        self.ids.update(dict.fromkeys(ids))

    def last_is_answered(self) -> bool:
        """Whether the FaceArray of the newest image came."""
        return bool(self.images) and max(self.images) in self.answered

    def fps(self) -> float:
        """FaceArrays per second from the first to the last."""
        duration = self.arrivals[-1] - self.arrivals[0] if self.arrivals else 0.0
        return (len(self.arrivals) - 1) / duration if duration > 0 else 0.0

    def line(self, now: float) -> str:
        """The state in one line."""
        recent = sum(1 for arrival in self.arrivals[-1000:] if arrival > now - RECENT)
        faces = self.counts[-1] if self.counts else 0
        latency = np.median(self.latencies[-max(recent, 1) :]) * 1e3 if self.latencies else 0.0
        return (
            f"frames {len(self.images)} in, {len(self.arrivals)} out | faces {faces} | "
            f"{recent / RECENT:.1f} fps | latency {latency:.1f} ms"
        )

    def summary(self) -> dict[str, Any]:
        """The run as JSON."""
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
    """JSON has no NaN: nothing measured is null."""
    return None if np.isnan(value) else round(float(value), 2)
