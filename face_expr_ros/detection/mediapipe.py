"""MediaPipe's face detectors (BlazeFace): the short-range network of 128 pixels and the full-range one of 192.

Their boxes reach from the brows to the chin; ours reach from the forehead to the chin, as FaceBoxes' do. What is added
was measured on rendered faces, turned up to 90 degrees, as the median of what brings `geometry.crop_from_box` of both
detectors to the same place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mediapipe
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.detection.boxes import shrink
from face_expr_ros.mediapipe_graph import ImageGraph
from face_expr_ros.values import Detection, FloatArray, Roi

_LONGEST_SIDE = 1280  # pixels; the networks see far fewer, and a copy of the whole image would cost more than they do
_GRAPH = """
    input_stream: "image"
    output_stream: "detections"
    node {{ calculator: "{calculator}" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }}
"""
_RIGHT_EYE, _LEFT_EYE, _NOSE = 0, 1, 2


@dataclass(frozen=True)
class _Range:
    """A network and how its box becomes ours, in parts of the mean of its width and height.

    Attributes:
        size: of our box.
        up: how far its middle is moved along the face, towards the forehead.
        nose: how much of the nose's offset from the middle it is moved back: the full-range box runs ahead to where the
            face looks.
    """

    calculator: str
    size: float
    up: float
    nose: float


_RANGES = {
    "short": _Range("FaceDetectionShortRangeCpu", size=0.98, up=0.13, nose=0.0),
    "full": _Range("FaceDetectionFullRangeCpu", size=1.08, up=0.08, nose=0.8),
}


class MediapipeDetector:
    """The networks one after the other, until one finds somebody."""

    def __init__(self, ranges: Sequence[str], least_score: float) -> None:
        """Loads "short" or "full" or both, to be asked in this order."""
        kinds = [_RANGES[name] for name in ranges]
        graphs = [ImageGraph(_GRAPH.format(calculator=kind.calculator), ["detections"], least_score) for kind in kinds]
        self._networks = list(zip(kinds, graphs, strict=True))

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The faces in a (height, width, 3) BGR image, the best first."""
        small, scale = shrink(image, _LONGEST_SIDE)
        for kind, graph in self._networks:
            packet = graph(small).get("detections")
            found = mediapipe.packet_getter.get_proto_list(packet) if packet is not None else []
            if found:
                height, width = small.shape[0] / scale, small.shape[1] / scale
                detections = [_detection(entry, kind, width, height) for entry in found]
                return sorted(detections, key=lambda detection: -detection.score)
        return []

    def close(self) -> None:
        """Free the networks."""
        for _, graph in self._networks:
            graph.close()


def _detection(found: Any, kind: _Range, width: float, height: float) -> Detection:
    """MediaPipe's message as a value: it counts in parts of the image, from its corner."""
    box, image = found.location_data.relative_bounding_box, np.array([width, height])
    points = np.array([(point.x, point.y) for point in found.location_data.relative_keypoints]) * image - 0.5
    size = (box.width * width + box.height * height) / 2
    middle = np.array([box.xmin + box.width / 2, box.ymin + box.height / 2]) * image - 0.5
    eyes = points[_LEFT_EYE] - points[_RIGHT_EYE]
    roll = math.atan2(eyes[1], eyes[0])
    side = kind.size * size
    left, top = middle + _aside_and_up(points[_NOSE] - middle, roll, kind, size) - side / 2
    return Detection(Roi(float(left), float(top), side, side), float(found.score[0]), roll)


def _aside_and_up(nose: FloatArray, roll: float, kind: _Range, size: float) -> FloatArray:
    """By how many pixels (2,) the middle of the box is moved, for a nose (2,) pixels away from it."""
    right, down = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    moved: FloatArray = -kind.nose * (nose @ right) * right - kind.up * size * down
    return moved
