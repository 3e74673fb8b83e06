"""Fitted faces as RViz markers: TRIANGLE_LIST, one marker per face, colored by part and shaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.face_model import MorphableModel
from face_expr_ros.geometry import FACE_FRAME
from face_expr_ros.ros.encode import pose_message
from face_expr_ros.ros.marker_cdr import MarkerLayoutError, MarkerWriter, marker_object
from face_expr_ros.values import Face, FloatArray

NAMESPACE = "face"
# RViz draws vertex colors unlit, so the light is in the colors: a lamp above the camera, in the optical frame.
LAMP = np.array([0.2, -0.5, -0.85]) / np.linalg.norm([0.2, -0.5, -0.85])
AMBIENT = 0.35
SKIN = (0.87, 0.67, 0.56)
PART_COLORS = {
    "left_eyeball": (0.95, 0.95, 0.93),
    "right_eyeball": (0.95, 0.95, 0.93),
    "upper_teeth": (0.93, 0.91, 0.84),
    "lower_teeth": (0.93, 0.91, 0.84),
    "tongue": (0.75, 0.36, 0.36),
    "inner_mouth": (0.45, 0.16, 0.16),
}
IRIS, IRIS_ANGLE = (0.28, 0.42, 0.5), 0.5  # radians from the eyeball's forward axis
PUPIL, PUPIL_ANGLE = (0.05, 0.05, 0.05), 0.22
HIDDEN_PARTS = ("eyelashes",)  # cards that need a texture's transparency

Writer = Callable[[Marker, NDArray[np.float64], NDArray[np.float32]], bytes | Marker]


def open_writer(warn: Callable[[str], None]) -> Writer:
    """The CDR fast path, or message objects and a warning where the installed Marker type is laid out differently."""
    try:
        return MarkerWriter()
    except MarkerLayoutError as error:
        warn(f"mesh_markers are written the slow way, about 100 times slower: {error}")
        return marker_object


class MeshMarkers:
    """Makes one marker a face, and deletes the markers of faces that are gone.

    Args:
        model: the face model that the faces were fitted with.
        writer: from :func:`open_writer`.
    """

    def __init__(self, model: MorphableModel, writer: Writer) -> None:
        self._model = model
        self._writer = writer
        self._colors = vertex_colors(model)
        self._corners = _visible_triangles(model)
        self._normals = VertexNormals(model.triangles, len(model.mean))
        self._numbers = count(1)
        self._ids: dict[str, int] = {}

    def __call__(self, faces: Sequence[Face], header: Header, opacity: float) -> Iterator[bytes | Marker]:
        """The markers of one image, deletions first; none for a model without a surface."""
        if self._model.sparse:
            return
        for face_id in self._ids.keys() - {face.id for face in faces}:
            yield Marker(header=header, ns=NAMESPACE, id=self._ids.pop(face_id), action=Marker.DELETE)
        for face in faces:
            number = self._ids.setdefault(face.id, 0) or next(self._numbers)
            self._ids[face.id] = number
            yield self._marker(face, number, header, opacity)

    def _marker(self, face: Face, number: int, header: Header, opacity: float) -> bytes | Marker:
        vertices = self._model.vertices(face.fit.shape, face.fit.expression)
        colors = np.full((len(vertices), 4), opacity, dtype=np.float32)
        colors[:, :3] = self._colors * self._light(vertices, face)[:, None]
        marker = Marker(header=header, ns=NAMESPACE, id=number, type=Marker.TRIANGLE_LIST, action=Marker.ADD)
        marker.pose = pose_message(face.fit.pose)
        marker.scale = Vector3(x=1.0, y=1.0, z=1.0)
        points = (vertices @ FACE_FRAME).astype(np.float64)
        return self._writer(marker, points[self._corners], colors[self._corners])

    def _light(self, vertices: FloatArray, face: Face) -> FloatArray:
        cosine = self._normals(vertices) @ (face.fit.pose.rotation.T @ LAMP)
        return AMBIENT + (1 - AMBIENT) * np.clip(cosine, 0, 1)


class VertexNormals:
    """Unit normals of a mesh's vertices: the sum of the normals of their triangles, weighted by area."""

    def __init__(self, triangles: NDArray[np.integer], vertex_count: int) -> None:
        self._triangles = triangles
        rows, columns = triangles.ravel(), np.repeat(np.arange(len(triangles)), 3)
        shape = (vertex_count, len(triangles))
        self._sum = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)

    def __call__(self, vertices: FloatArray) -> FloatArray:
        """(V, 3) for vertices (V, 3)."""
        a, b, c = (vertices[self._triangles[:, corner]] for corner in range(3))
        normals: FloatArray = self._sum @ np.cross(b - a, c - a)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return normals / np.maximum(lengths, np.finfo(np.float32).tiny)


def vertex_colors(model: MorphableModel) -> NDArray[np.float32]:
    """(V, 3) RGB of 0..1: each part in its color, irises and pupils on the eyeballs; skin where there are no parts."""
    if not model.part_names:
        return np.full(model.mean.shape, SKIN, dtype=np.float32)
    palette = np.array([PART_COLORS.get(name, SKIN) for name in model.part_names], dtype=np.float32)
    colors = palette[model.vertex_part]
    for side in ("left", "right"):
        if f"{side}_eyeball" in model.part_names:
            ball = model.part_vertices(f"{side}_eyeball")
            forward = model.mean[ball] - model.eye_center(model.mean, side)
            angle = np.arccos(np.clip(forward[:, 2] / np.linalg.norm(forward, axis=1), -1, 1))
            colors[ball[angle < IRIS_ANGLE]] = IRIS
            colors[ball[angle < PUPIL_ANGLE]] = PUPIL
    return colors


def _visible_triangles(model: MorphableModel) -> NDArray[np.intp]:
    """Indices of the corners of all drawn triangles, one after the other."""
    if not model.part_names:
        return model.triangles.ravel().astype(np.intp)
    hidden = [number for number, name in enumerate(model.part_names) if name in HIDDEN_PARTS]
    kept: NDArray[np.intp] = model.triangles[~np.isin(model.triangle_part, hidden)].ravel()
    return kept
