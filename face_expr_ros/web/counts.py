"""What the server counts, for people, programs and Prometheus."""

from __future__ import annotations

import time
from dataclasses import dataclass

from face_expr_ros.web.hub import Hub


@dataclass(frozen=True)
class Health:
    """How the server does.

    Attributes:
        ok: a frame came in the last seconds.
        clients: streams that are open.
        faces: in the last frame.
        frames: since the start.
        dropped: frames that clients were too slow for.
        uptime_s: seconds since the start.
        source: what the faces come from.
    """

    ok: bool
    clients: int
    faces: int
    frames: int
    dropped: int
    uptime_s: float
    source: str


def health_of(hub: Hub) -> Health:
    """The health at this moment."""
    return Health(
        ok=hub.alive, clients=len(hub.streams), faces=hub.faces, frames=hub.frames, dropped=hub.dropped,
        uptime_s=_uptime(hub), source=hub.source,
    )  # fmt: skip


def metrics_text(hub: Hub) -> str:
    """The counts in Prometheus's text format."""
    rows: list[tuple[str, str, str, list[tuple[str, float]]]] = [
        ("clients", "gauge", "streams that are open", [("", len(hub.streams))]),
        ("camera_clients", "gauge", "camera streams that are open", [("", len(hub.cameras))]),
        ("faces", "gauge", "faces in the last frame", [("", hub.faces)]),
        ("frame_rate", "gauge", "frames per second", [("", round(hub.frame_rate, 3))]),
        ("frames_total", "counter", "frames since the start", [("", hub.frames)]),
        ("pictures_total", "counter", "camera pictures since the start", [("", hub.pictures)]),
        ("dropped_total", "counter", "frames that clients were too slow for", [("", hub.dropped)]),
        ("left_out_total", "counter", "frames with numbers that do not fit", [("", hub.left_out)]),
        ("uptime_seconds", "gauge", "since the start", [("", _uptime(hub))]),
        (
            "refused_total",
            "counter",
            "requests refused before they were looked at",
            [(f'{{status="{status}"}}', count) for status, count in sorted(hub.refused.items())],
        ),
    ]
    lines = []
    for name, kind, help, values in rows:
        lines += [f"# HELP face_expr_web_{name} {help}", f"# TYPE face_expr_web_{name} {kind}"]
        lines += [f"face_expr_web_{name}{label} {value}" for label, value in values]
    return "\n".join(lines) + "\n"


def _uptime(hub: Hub) -> float:
    """Seconds, in whole milliseconds."""
    return round(time.monotonic() - hub.started, 3)
