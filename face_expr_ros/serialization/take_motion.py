"""The head motion of a take as BVH, for programs without morph targets, and as the CSV of Live Link Face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face_expr_ros.core.atomic_files import write_text
from face_expr_ros.core.head_axes import right_handed_degrees
from face_expr_ros.core.rotations import interpolated
from face_expr_ros.core.takes import Take, head_motion
from face_expr_ros.serialization.live_link_csv import live_link_csv

BVH_RATE = 60  # frames per second; BVH has a constant frame time
_HEAD_LENGTH = 15.0  # centimeters
_HIERARCHY = f"""HIERARCHY
ROOT Head
{{
\tOFFSET 0.0 0.0 0.0
\tCHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
\tEnd Site
\t{{
\t\tOFFSET 0.0 {_HEAD_LENGTH} 0.0
\t}}
}}
MOTION
"""


def write_live_link(path: Path, take: Take) -> None:
    """Write blendshapes and head rotation, one row per image; see `live_link_csv`."""
    with live_link_csv(path) as write:
        for frame in take:
            write(frame.stamp_ns, frame.blendshapes, frame.rotation)


def write_bvh(path: Path, take: Take, rate: int = BVH_RATE) -> None:
    """Write the head as the only joint, in centimeters and degrees, relative to its first position.

    Args:
        path: the file.
        take: at least one frame.
        rate: frames per second; the motion is interpolated.
    """
    positions, rotations = head_motion(take)
    seconds = np.array([(frame.stamp_ns - take[0].stamp_ns) * 1e-9 for frame in take])
    times = np.arange(round(seconds[-1] * rate) + 1) / rate
    times = np.minimum(times, seconds[-1])
    turned = interpolated(times, seconds, rotations)
    moved = np.column_stack([np.interp(times, seconds, column) for column in 100 * positions.T])
    lines = []
    for place, turn in zip(moved.tolist(), turned, strict=True):
        x, y, z = right_handed_degrees(turn)
        lines.append(" ".join(f"{value:.5f}" for value in (*place, y, x, z)))
    motion = f"Frames: {len(lines)}\nFrame Time: {1 / rate:.8f}\n"
    write_text(path, _HIERARCHY + motion + "\n".join(lines) + "\n")
