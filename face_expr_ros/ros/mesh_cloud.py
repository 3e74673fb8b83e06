"""The vertices of all faces of one image as a PointCloud2 in the camera's optical frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from face_expr_ros.core.geometry import to_camera
from face_expr_ros.ros.cdr import Writer
from face_expr_ros.ros.meshes import Drawing, DrawnFace

# "rgb" as PCL and RViz have it: a float32 whose bits are 0x00RRGGBB.
_POINT = np.dtype([("xyz", "<f4", 3), ("bgr", "u1", 4)])
_FIELDS = [
    PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
    for place, name in enumerate(("x", "y", "z", "rgb"))
]


def mesh_cloud(drawing: Drawing, header: Header, write: Writer) -> bytes | PointCloud2:
    """x, y, z in meters and a color for each vertex, the faces one after the other; empty when nobody is there.

    Args:
        write: of PointCloud2, from :func:`face_expr_ros.ros.cdr.open_writer`.
    """
    points = np.concatenate([np.zeros(0, _POINT), *map(_points, drawing.faces)])
    cloud: Any = PointCloud2(header=header, height=1, width=len(points), fields=_FIELDS, is_dense=True)
    cloud.point_step, cloud.row_step = _POINT.itemsize, points.nbytes
    return write(cloud, data=points.view(np.uint8))


def _points(drawn: DrawnFace) -> NDArray[Any]:
    points = np.zeros(len(drawn.vertices), _POINT)
    points["xyz"] = to_camera(drawn.vertices, drawn.face.fit.pose)
    points["bgr"][:, :3] = np.rint(255 * drawn.colors[:, 2::-1])
    return points
