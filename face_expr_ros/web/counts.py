"""Health and counters of the server, as JSON and for Prometheus."""

from __future__ import annotations

import time
from dataclasses import dataclass

from face_expr_ros.web.hub import Hub


@dataclass(frozen=True)
class Health:
    """Health of the server.

    Attributes:
        ok: a frame was received in the last seconds.
        clients: open face streams.
        faces: number of faces in the last frame.
        frames: number of frames since the start.
        dropped: number of frames and pictures that clients were too slow for.
        uptime_s: seconds since the start.
        source: description of the source of the faces.
    """

    ok: bool
    clients: int
    faces: int
    frames: int
    dropped: int
    uptime_s: float
    source: str


def health_of(hub: Hub) -> Health:
    """The current health."""
    return Health(
        ok=hub.alive, clients=len(hub.streams), faces=hub.faces, frames=hub.frames, dropped=hub.dropped,
        uptime_s=_uptime(hub), source=hub.source,
    )  # fmt: skip


def metrics_text(hub: Hub) -> str:
    """The counters in the Prometheus text format."""
    rows: list[tuple[str, str, str, list[tuple[str, float]]]] = [
        ("clients", "gauge", "open face streams", [("", len(hub.streams))]),
        ("camera_clients", "gauge", "open camera streams", [("", len(hub.cameras))]),
        ("faces", "gauge", "faces in the last frame", [("", hub.faces)]),
        ("frame_rate", "gauge", "frames per second", [("", round(hub.frame_rate, 3))]),
        ("frames_total", "counter", "frames since the start", [("", hub.frames)]),
        ("pictures_total", "counter", "camera pictures since the start", [("", hub.pictures)]),
        ("dropped_total", "counter", "frames and pictures that clients were too slow for", [("", hub.dropped)]),
        (
            "left_out_total",
            "counter",
            "frames not sent, with a value out of range",
            [("", hub.left_out)],
        ),
        ("uptime_seconds", "gauge", "since the start", [("", _uptime(hub))]),
        (
            "refused_total",
            "counter",
            "requests refused by access control",
            [(f'{{status="{status}"}}', count) for status, count in sorted(hub.refused.items())],
        ),
    ]
    lines = []
    for name, kind, help, values in rows:
        lines += [f"# HELP face_expr_web_{name} {help}", f"# TYPE face_expr_web_{name} {kind}"]
        lines += [f"face_expr_web_{name}{label} {value}" for label, value in values]
    return "\n".join(lines) + "\n"


def _uptime(hub: Hub) -> float:
    """Seconds, rounded to milliseconds."""
    return round(time.monotonic() - hub.started, 3)
