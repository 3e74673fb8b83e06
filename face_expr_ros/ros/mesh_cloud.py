"""The vertices of all faces of one image as a PointCloud2 in the camera's optical frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from face_expr_ros.core.geometry import to_camera
from face_expr_ros.drawing.meshes import ColoredMesh, MeshSet
from face_expr_ros.ros.cdr import Writer

# "rgb" as PCL and RViz define it: a float32 whose bits are 0x00RRGGBB.
_POINT = np.dtype([("xyz", "<f4", 3), ("bgr", "u1", 4)])
_FIELDS = [
    PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
    for index, name in enumerate(("x", "y", "z", "rgb"))
]


def mesh_cloud(mesh_set: MeshSet, header: Header, write: Writer) -> bytes | PointCloud2:
    """x, y, z in meters and a color for each vertex, one face after the other; empty without faces.

    Args:
        mesh_set: the meshes of the image's faces.
        header: header of the image.
        write: writer of PointCloud2, from :func:`face_expr_ros.ros.cdr.create_writer`.
    """
    return _cloud([_points(mesh) for mesh in mesh_set.meshes], header, write)


def empty_cloud(header: Header, write: Writer) -> bytes | PointCloud2:
    """The cloud without points that replaces the last one."""
    return _cloud([], header, write)


def _cloud(parts: Sequence[NDArray[Any]], header: Header, write: Writer) -> bytes | PointCloud2:
    points = np.concatenate([np.zeros(0, _POINT), *parts])
    cloud: Any = PointCloud2(header=header, height=1, width=len(points), fields=_FIELDS, is_dense=True)
    cloud.point_step, cloud.row_step = _POINT.itemsize, points.nbytes
    return write(cloud, data=points.view(np.uint8))


def _points(mesh: ColoredMesh) -> NDArray[Any]:
    points = np.zeros(len(mesh.vertices), _POINT)
    points["xyz"] = to_camera(mesh.vertices, mesh.face.fit.pose)
    points["bgr"][:, :3] = np.rint(255 * mesh.colors[:, 2::-1])
    return points
