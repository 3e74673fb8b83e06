"""Fitted faces as RViz markers, see `drawing.mesh_markers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Face
from face_expr_ros.drawing import mesh_markers
from face_expr_ros.drawing.meshes import MeshSet
from face_expr_ros.ros.cdr import Writer
from face_expr_ros.serialization.marker_values import marker_values


class MeshMarkers:
    """Makes the markers of one image, and deletes those of lost faces and of disabled elements.

    Args:
        model: the face model that the faces were fitted with.
        writer: writer of Marker, from :func:`face_expr_ros.ros.cdr.create_writer`.
    """

    def __init__(self, model: MorphableModel, writer: Writer) -> None:
        self._markers = mesh_markers.MeshMarkers(model)
        self._writer = writer

    def __call__(
        self, faces: Sequence[Face], mesh_set: MeshSet | None, header: Header, config: OutputConfig
    ) -> Iterator[bytes | Marker]:
        """The markers of the faces, deletions first; ``header`` is that of the image, the rest as in `drawing`."""
        for marker in self._markers(faces, mesh_set, config):
            yield self._writer(marker_values(marker, header, config.mesh_lifetime))

    def clear(self, header: Header) -> bytes | Marker:
        """The marker that deletes all markers of this topic."""
        return self._writer(marker_values(self._markers.clear(), header, 0.0))
