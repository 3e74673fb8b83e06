"""Markers of faces as the fields of visualization_msgs/Marker, for ROS's message classes and for bags."""

from __future__ import annotations

from typing import Any

from face_expr_ros.core.markers import FaceMarker
from face_expr_ros.serialization.message_dicts import Values, pose_values

_NO_POSE = {
    "position": {"x": 0.0, "y": 0.0, "z": 0.0},
    "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
}


def marker_values(marker: FaceMarker, header: Any, lifetime: float) -> Values:
    """The fields of a Marker.

    Args:
        marker: its content.
        header: a ROS object, or a mapping with the same fields.
        lifetime: time after which RViz removes the marker, seconds; 0 keeps it until it is deleted.
    """
    seconds, nanoseconds = divmod(round(lifetime * 1e9), 1_000_000_000)
    return {
        "header": header,
        "ns": marker.namespace,
        "id": marker.number,
        "type": marker.kind,
        "action": marker.action,
        "pose": _NO_POSE if marker.pose is None else pose_values(marker.pose),
        "scale": dict.fromkeys("xyz", marker.scale),
        "color": dict(zip("rgba", marker.color, strict=True)),
        "lifetime": {"sec": seconds, "nanosec": nanoseconds},
        "frame_locked": False,
        "points": marker.points,
        "colors": marker.colors,
        **_no_texture(header),
        "text": "",
        "mesh_resource": "",
        "mesh_file": {"filename": "", "data": b""},
        "mesh_use_embedded_materials": False,
    }


def _no_texture(header: Any) -> Values:
    texture = {"header": header, "format": "", "data": b""}
    return {"texture_resource": "", "texture": texture, "uv_coordinates": ()}
