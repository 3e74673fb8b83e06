"""What a viewer shows of the faces without any node: mesh markers and annotated images, as messages of a bag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import COMPRESSED_IMAGE, MARKER, Addition, cdr
from face_expr_ros.bags.writing import Topic, new_topic
from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.mesh_markers import MeshMarkers
from face_expr_ros.drawing.meshes import MeshBuilder
from face_expr_ros.drawing.modes import check_mode, draw_in_frame
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.serialization.marker_values import marker_values
from face_expr_ros.serialization.message_dicts import header_values

MARKERS, ANNOTATED = "mesh_markers", "annotated/compressed"
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 85]
_FORMAT = "bgr8; jpeg compressed bgr8"  # as image_transport writes it
_MIN_LIFETIMES = 2.0  # in intervals between markers


@dataclass(frozen=True)
class DrawingOptions:
    """Which drawings are added to a bag.

    Attributes:
        markers, annotated: whether the topics mesh_markers and annotated/compressed are added.
        rate: maximum rate of both, Hz; 0 draws every image.
        detail: ``output.mesh_detail`` of the markers; None is the coarsest detail that the face model has.
    """

    markers: bool = True
    annotated: bool = False
    rate: float = 10.0
    detail: str | None = None


def drawing_topics(namespace: str, options: DrawingOptions) -> list[Topic]:
    """The topics that are added to a bag, in ``namespace`` ("" or "/robot")."""
    markers = [new_topic(f"{namespace}/{MARKERS}", MARKER, depth=20)] if options.markers else []
    return markers + ([new_topic(f"{namespace}/{ANNOTATED}", COMPRESSED_IMAGE)] if options.annotated else [])


class Drawings:
    """Draws the faces of an image, at most at the rate of the options.

    Args:
        model: the face model that the faces are fitted with.
        namespace: as in `drawing_topics`.
        config: style of the markers, and content of the annotated image.
        options: what is drawn.

    Raises:
        BundleError, ConfigError: the model does not support the settings.
    """

    def __init__(self, model: MorphableModel, namespace: str, config: OutputConfig, options: DrawingOptions) -> None:
        self._model, self._namespace, self._options = model, namespace, options
        lifetime = config.mesh_lifetime
        if lifetime and options.rate:
            lifetime = max(lifetime, _MIN_LIFETIMES / options.rate)
        detail = coarsest_detail(model) if options.detail is None else options.detail
        self._config = replace(config, mesh_detail=detail, mesh_lifetime=lifetime)
        self._slot: int | None = None  # number of the interval of the last drawn image
        if options.markers:
            self._build, self._markers = MeshBuilder(model, self._config), MeshMarkers(model)
        if options.annotated:
            check_mode(config.annotated, model)

    def __call__(self, frame: Frame, faces: tuple[Face, ...], time_ns: int) -> Iterator[Addition]:
        """The drawings of one image, with the header of the image and its recording time ``time_ns``."""
        is_due = self._advance(time_ns)
        header = header_values(frame.stamp_ns, frame.frame_id)
        if self._options.markers:
            if is_due:
                markers = self._markers(faces, self._build(faces, frame, self._config), self._config)
            else:
                markers = self._markers.lost(faces)
            for marker in markers:
                data = cdr(MARKER, marker_values(marker, header, self._config.mesh_lifetime))
                yield f"{self._namespace}/{MARKERS}", MARKER, time_ns, data
        if self._options.annotated and is_due:
            values = {"header": header, "format": _FORMAT, "data": self._jpeg(frame, faces)}
            yield f"{self._namespace}/{ANNOTATED}", COMPRESSED_IMAGE, time_ns, cdr(COMPRESSED_IMAGE, values)

    def state_dict(self) -> dict[str, Any]:
        """The state between two images."""
        shown = sorted(self._markers.shown) if self._options.markers else []
        return {"slot": self._slot, "shown": [list(marker) for marker in shown]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._slot = state["slot"]
        if self._options.markers:
            self._markers.shown = {(face_id, number) for face_id, number in state["shown"]}

    def _advance(self, time_ns: int) -> bool:
        """Whether an image is the first one of its interval. Intervals are counted from 1970, not from an image."""
        if not self._options.rate:
            return True
        last, self._slot = self._slot, time_ns // round(1e9 / self._options.rate)
        return self._slot != last

    def _jpeg(self, frame: Frame, faces: tuple[Face, ...]) -> np.ndarray:
        mode = self._config.annotated
        if mode == "annotated":
            image = annotate(frame, faces, self._model, mesh=self._config.annotated_mesh)
        else:
            image = draw_in_frame(mode, frame, faces, self._model)
        is_encoded, data = cv2.imencode(".jpg", image, _JPEG)
        if not is_encoded:
            raise BagError(f"an annotated image of {image.shape[1]}x{image.shape[0]} pixels cannot be stored as JPEG")
        return data.ravel()


def coarsest_detail(model: MorphableModel) -> str:
    """The value of ``output.mesh_detail`` with the fewest triangles that a model has."""
    if len(model.facemesh_triangle):
        return "facemesh"
    return "decimated" if len(model.decimated_triangles) else "full"
