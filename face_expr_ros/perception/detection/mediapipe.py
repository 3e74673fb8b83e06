"""MediaPipe's BlazeFace networks, with the calculators of MediaPipe up to 0.10.21."""

from __future__ import annotations

from typing import Any

import cv2
import mediapipe
import numpy as np

from face_expr_ros.perception.detection.boxes import reduced, reduction
from face_expr_ros.perception.detection.two_range import CANDIDATE_SCORE, MAX_SIDE, Image, RawFace
from face_expr_ros.perception.mediapipe_graph import Graph, image_packet

SHORT_RANGE, FULL_RANGE = "FaceDetectionShortRangeCpu", "FaceDetectionFullRangeCpu"  # MediaPipe's names
_GRAPH = """
    executor {{ type: "ApplicationThreadExecutor" }}
    input_stream: "input"
    output_stream: "detections"
    node {{ calculator: "{calculator}" input_stream: "IMAGE:input" output_stream: "DETECTIONS:detections" }}
"""


class MediapipeBlazeFace:
    """One of the two networks, `SHORT_RANGE` or `FULL_RANGE`, for images of any size."""

    def __init__(self, calculator: str) -> None:
        self._graph = Graph(_GRAPH.format(calculator=calculator), ["detections"], min_score=CANDIDATE_SCORE)

    def __call__(self, image: Image, small: Image | None = None) -> list[RawFace]:
        """The faces in a (height, width, 3) BGR image; ``small`` is the `reduced` image, if available."""
        if not image.size:
            return []
        if small is None:
            small = reduced(image, MAX_SIDE)
        factor = reduction(image, MAX_SIDE)
        packet = self._graph(image_packet(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8))).get(
            "detections"
        )
        found = [] if packet is None else mediapipe.packet_getter.get_proto_list(packet)
        return [_raw_face(entry, small.shape[1] * factor, small.shape[0] * factor) for entry in found]

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


def _raw_face(found: Any, width: int, height: int) -> RawFace:
    """MediaPipe's message, whose coordinates are relative to the image size, in pixels."""
    box, size = found.location_data.relative_bounding_box, np.array([width, height])
    corners = np.array([(box.xmin, box.ymin), (box.xmin + box.width, box.ymin + box.height)])
    points = np.array([(point.x, point.y) for point in found.location_data.relative_keypoints])
    return RawFace(corners * size - 0.5, points * size - 0.5, float(found.score[0]))
