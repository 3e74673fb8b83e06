"""Fitted faces as RViz markers: mesh (triangles or wireframe), landmarks and axes; one namespace per face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from builtin_interfaces.msg import Duration as DurationMessage
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray
from rclpy.duration import Duration
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.types import Face
from face_expr_ros.drawing.mesh_detail import landmark_model
from face_expr_ros.ros.cdr import Writer
from face_expr_ros.ros.encode import pose_message
from face_expr_ros.ros.meshes import ColoredMesh, MeshSet

MESH, LANDMARKS, AXES = 0, 1, 2  # marker ids in a face's namespace
EDGE_WIDTH, LANDMARK_DIAMETER, AXIS_WIDTH = 0.0004, 0.002, 0.003  # meters
AXIS_LENGTH = 0.1  # meters
_POINT_COLOR = (0.1, 0.9, 0.4, 1.0)
_AXIS_POINTS = np.stack([np.zeros((3, 3)), AXIS_LENGTH * np.eye(3)], axis=1).reshape(6, 3)
_AXIS_COLORS = np.repeat(np.column_stack([np.eye(3), np.ones(3)]), 2, axis=0).astype(np.float32)


class MeshMarkers:
    """Makes the markers of one image, and deletes those of lost faces and of disabled elements.

    Args:
        model: the face model that the faces were fitted with.
        writer: writer of Marker, from :func:`face_expr_ros.ros.cdr.create_writer`.
    """

    def __init__(self, model: MorphableModel, writer: Writer) -> None:
        self._landmarks = landmark_model(model)
        self._writer = writer
        self._shown: set[tuple[str, int]] = set()
        self._buffers: dict[int, tuple[NDArray[np.float64], NDArray[np.float32]]] = {}

    def __call__(
        self, faces: Sequence[Face], mesh_set: MeshSet | None, header: Header, config: OutputConfig
    ) -> Iterator[bytes | Marker]:
        """The markers of the faces, deletions first.

        Args:
            faces: all faces of the image.
            mesh_set: their meshes, from :class:`face_expr_ros.ros.meshes.MeshBuilder`; None without a surface.
            header: header of the image.
            config: selects landmarks and axes.
        """
        lifetime = Duration(seconds=config.mesh_lifetime).to_msg()
        enabled = {MESH: mesh_set is not None, LANDMARKS: config.mesh_landmarks, AXES: config.mesh_axes}
        shown = {(face.id, number) for face in faces for number, is_enabled in enabled.items() if is_enabled}
        for namespace, number in sorted(self._shown - shown):
            yield Marker(header=header, ns=namespace, id=number, action=Marker.DELETE)
        self._shown = shown
        if mesh_set is not None:
            for mesh in mesh_set.meshes:
                yield self._mesh(mesh, mesh_set, header, lifetime)
        for face in faces:
            if config.mesh_landmarks:
                yield self._points(face, header, lifetime)
            if config.mesh_axes:
                marker = _marker(face, AXES, Marker.LINE_LIST, AXIS_WIDTH, header, lifetime)
                yield self._writer(marker, points=_AXIS_POINTS, colors=_AXIS_COLORS)

    def clear(self, header: Header) -> Marker:
        """The marker that deletes all markers of this topic."""
        self._shown.clear()
        return Marker(header=header, action=Marker.DELETEALL)

    def _mesh(self, mesh: ColoredMesh, mesh_set: MeshSet, header: Header, lifetime: DurationMessage) -> bytes | Marker:
        marker_type, scale = (Marker.LINE_LIST, EDGE_WIDTH) if mesh_set.wireframe else (Marker.TRIANGLE_LIST, 1.0)
        points, colors = self._corner_buffers(mesh_set.corners)
        # mode="clip" lets NumPy write to the buffer directly; all indices are valid.
        np.take((mesh.vertices @ FACE_FRAME).astype(np.float64), mesh_set.corners, axis=0, out=points, mode="clip")
        np.take(mesh.colors, mesh_set.corners, axis=0, out=colors, mode="clip")
        marker = _marker(mesh.face, MESH, marker_type, scale, header, lifetime)
        return self._writer(marker, points=points, colors=colors)

    def _corner_buffers(self, corners: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Buffers for the corners, reused in later frames: allocating megabytes in each frame is slow."""
        count = len(corners)
        if count not in self._buffers:
            self._buffers = {count: (np.empty((count, 3)), np.empty((count, 4), np.float32))}
        return self._buffers[count]

    def _points(self, face: Face, header: Header, lifetime: DurationMessage) -> bytes | Marker:
        points = self._landmarks.vertices(face.fit.shape, face.fit.expression) @ FACE_FRAME
        marker = _marker(face, LANDMARKS, Marker.SPHERE_LIST, LANDMARK_DIAMETER, header, lifetime)
        marker.color.r, marker.color.g, marker.color.b, marker.color.a = _POINT_COLOR
        return self._writer(marker, points=points)


def _marker(
    face: Face, number: int, marker_type: int, scale: float, header: Header, lifetime: DurationMessage
) -> Marker:
    marker = Marker(header=header, ns=face.id, id=number, type=marker_type, action=Marker.ADD, lifetime=lifetime)
    marker.pose = pose_message(face.fit.pose)
    marker.scale = Vector3(x=scale, y=scale, z=scale)
    return marker
