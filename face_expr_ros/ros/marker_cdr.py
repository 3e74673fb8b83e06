"""One large marker as CDR bytes, and the same as message objects."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from face_expr_ros.ros.cdr import CdrWriter


class MarkerWriter:
    """Writes (n, 3) points and (n, 4) RGBA colors in place of a marker's own. Raises CdrLayoutError as CdrWriter."""

    def __init__(self) -> None:
        self._write = CdrWriter(Marker)

    def __call__(self, marker: Marker, points: NDArray[np.float64], colors: NDArray[np.float32]) -> bytes:
        """The CDR of ``marker`` with the points and colors."""
        return self._write(marker, points=points, colors=colors)


def marker_object(marker: Marker, points: NDArray[np.float64], colors: NDArray[np.float32]) -> Marker:
    """The ordinary way: the same marker with its points and colors as message objects."""
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    return marker
