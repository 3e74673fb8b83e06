"""A marker of a face, as RViz and Foxglove display it, independent of message classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray, Pose

LINE_LIST, SPHERE_LIST, TRIANGLE_LIST = 5, 7, 11  # visualization_msgs/Marker: type
ADD, DELETE, DELETE_ALL = 0, 2, 3  # visualization_msgs/Marker: action


@dataclass(frozen=True)
class FaceMarker:
    """The content of a visualization_msgs/Marker.

    Attributes:
        namespace: the id of the face.
        number: of the marker in its namespace.
        kind, action: constants of visualization_msgs/Marker.
        scale: width of lines or diameter of spheres, meters; 1 for triangles.
        pose: of the head; the points are in its face frame. None to delete.
        points: (n, 3) float64, meters.
        colors: (n, 4) float32 red, green, blue, opacity in 0..1 of each point; empty for one color.
        color: that color.
    """

    namespace: str
    number: int
    kind: int = TRIANGLE_LIST
    action: int = ADD
    scale: float = 1.0
    pose: Pose | None = None
    points: FloatArray | tuple[()] = ()
    colors: NDArray[np.float32] | tuple[()] = ()
    color: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
