"""Fitted faces as markers: mesh (triangles or wireframe), landmarks and axes; one namespace per face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.markers import DELETE, DELETE_ALL, LINE_LIST, SPHERE_LIST, TRIANGLE_LIST, FaceMarker
from face_expr_ros.core.types import Face
from face_expr_ros.drawing.mesh_detail import landmark_model
from face_expr_ros.drawing.meshes import ColoredMesh, MeshSet

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

    Attributes:
        shown: face id and number of the markers that are displayed.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.shown: set[tuple[str, int]] = set()
        self._landmarks = landmark_model(model)
        self._buffers: dict[int, tuple[NDArray[np.float64], NDArray[np.float32]]] = {}

    def __call__(self, faces: Sequence[Face], mesh_set: MeshSet | None, config: OutputConfig) -> Iterator[FaceMarker]:
        """The markers of the faces, deletions first.

        The arrays of a mesh are valid until the next one.

        Args:
            faces: all faces of the image.
            mesh_set: their meshes, from `meshes.MeshBuilder`; None without a surface.
            config: selects landmarks and axes.
        """
        enabled = {MESH: mesh_set is not None, LANDMARKS: config.mesh_landmarks, AXES: config.mesh_axes}
        shown = {(face.id, number) for face in faces for number, is_enabled in enabled.items() if is_enabled}
        yield from self._deletions(self.shown - shown)
        self.shown = shown
        if mesh_set is not None:
            for mesh in mesh_set.meshes:
                yield self._mesh(mesh, mesh_set)
        for face in faces:
            if config.mesh_landmarks:
                yield self._points(face)
            if config.mesh_axes:
                yield FaceMarker(
                    face.id, AXES, LINE_LIST, scale=AXIS_WIDTH, pose=face.fit.pose, points=_AXIS_POINTS,
                    colors=_AXIS_COLORS,
                )  # fmt: skip

    def lost(self, faces: Iterable[Face]) -> Iterator[FaceMarker]:
        """The deletions of faces that are no longer in view, for images whose meshes are not drawn."""
        ids = {face.id for face in faces}
        gone = {marker for marker in self.shown if marker[0] not in ids}
        self.shown -= gone
        yield from self._deletions(gone)

    def clear(self) -> FaceMarker:
        """The marker that deletes all markers of this topic."""
        self.shown.clear()
        return FaceMarker("", 0, action=DELETE_ALL)

    def _deletions(self, markers: Iterable[tuple[str, int]]) -> Iterator[FaceMarker]:
        for namespace, number in sorted(markers):
            yield FaceMarker(namespace, number, action=DELETE)

    def _mesh(self, mesh: ColoredMesh, mesh_set: MeshSet) -> FaceMarker:
        kind, scale = (LINE_LIST, EDGE_WIDTH) if mesh_set.wireframe else (TRIANGLE_LIST, 1.0)
        points, colors = self._corner_buffers(mesh_set.corners)
        # mode="clip" lets NumPy write to the buffer directly; all indices are valid.
        np.take((mesh.vertices @ FACE_FRAME).astype(np.float64), mesh_set.corners, axis=0, out=points, mode="clip")
        np.take(mesh.colors, mesh_set.corners, axis=0, out=colors, mode="clip")
        pose = mesh.face.fit.pose
        return FaceMarker(mesh.face.id, MESH, kind, scale=scale, pose=pose, points=points, colors=colors)

    def _corner_buffers(self, corners: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Buffers for the corners, reused in later frames: allocating megabytes in each frame is slow."""
        count = len(corners)
        if count not in self._buffers:
            self._buffers = {count: (np.empty((count, 3)), np.empty((count, 4), np.float32))}
        return self._buffers[count]

    def _points(self, face: Face) -> FaceMarker:
        points = self._landmarks.vertices(face.fit.shape, face.fit.expression) @ FACE_FRAME
        pose = face.fit.pose
        return FaceMarker(
            face.id, LANDMARKS, SPHERE_LIST, scale=LANDMARK_DIAMETER, pose=pose, points=points, color=_POINT_COLOR
        )
