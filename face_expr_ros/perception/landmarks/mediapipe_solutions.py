"""FaceMesh at the place of each face, through the graph that MediaPipe up to 0.10.21 has inside the wheel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mediapipe
import numpy as np
from mediapipe.framework.formats import landmark_pb2
from numpy.typing import NDArray

from face_expr_ros.core.config import LandmarksConfig
from face_expr_ros.core.geometry import bounding_box
from face_expr_ros.core.types import Detection, FloatArray, Frame, Landmarks, Track
from face_expr_ros.kernels.points import transformed, unpacked
from face_expr_ros.kernels.regions import cut_region
from face_expr_ros.perception.mediapipe_graph import Graph, message_bytes, values_packet

_SIDE = 192  # pixels of what the network sees
# The nodes of MediaPipe's FaceLandmarkCpu without the one that cuts the region out of the image: that wants all of the
# image as RGB first, and takes three times as long as our cut. The calling thread does the work: MediaPipe
# would hand every node to another thread, and what comes next would find its cache cold.
_GRAPH = """
    executor { type: "ApplicationThreadExecutor" }
    input_stream: "input"
    output_stream: "landmarks"
    output_stream: "presence"
    node {
      calculator: "ConstantSidePacketCalculator"
      output_side_packet: "PACKET:with_attention"
      node_options: { [type.googleapis.com/mediapipe.ConstantSidePacketCalculatorOptions]: {
        packet { bool_value: true }
      } }
    }
    node {
      calculator: "FaceLandmarksModelLoader"
      input_side_packet: "WITH_ATTENTION:with_attention"
      output_side_packet: "MODEL:model"
    }
    node { calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:operators" }
    node {
      calculator: "TensorConverterCalculator"
      input_stream: "MATRIX:input"
      output_stream: "TENSORS:seen"
    }
    node {
      calculator: "InferenceCalculator"
      input_stream: "TENSORS:seen"
      input_side_packet: "MODEL:model"
      input_side_packet: "OP_RESOLVER:operators"
      output_stream: "TENSORS:output"
      node_options: { [type.googleapis.com/mediapipe.InferenceCalculatorOptions]: { delegate { xnnpack {} } } }
    }
    node {
      calculator: "SplitTensorVectorCalculator"
      input_stream: "output"
      output_stream: "points"
      output_stream: "score"
      node_options: { [type.googleapis.com/mediapipe.SplitVectorCalculatorOptions]: {
        ranges { begin: 0 end: 6 } ranges { begin: 6 end: 7 }
      } }
    }
    node {
      calculator: "TensorsToFloatsCalculator"
      input_stream: "TENSORS:score"
      output_stream: "FLOAT:presence"
      node_options: { [type.googleapis.com/mediapipe.TensorsToFloatsCalculatorOptions]: { activation: SIGMOID } }
    }
    node {
      calculator: "TensorsToFaceLandmarksWithAttention"
      input_stream: "TENSORS:points"
      output_stream: "LANDMARKS:landmarks"
    }
"""
# Protocol Buffers' bytes of a point that has x, y and z alone: its own tag and its length, and a tag before each float.
# Other fields are read in the ordinary way.
_POINT, _PLACES = 17, (3, 8, 13)  # bytes, and where the floats are
_BETWEEN = {0: b"\x0a", 1: b"\x0f", 2: b"\x0d", 7: b"\x15", 12: b"\x1d"}  # by their places
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners
_MARGIN = 1.5  # of the long side of the points' box: MediaPipe's own margin
# From a crop, by the medians over rendered faces: the side in crops, and how far the middle lies towards the forehead.
# A detector's crop is larger than one from landmarks.
_CROP_SIDE, _FRESH_CROP_SIDE, _CROP_UP = 1.2, 1.0, 0.08


@dataclass(frozen=True)
class Region:
    """A square that the network looks at: center and side in pixels, rotation in radians, positive is clockwise."""

    x: float
    y: float
    side: float
    rotation: float


class MediapipeSolutions:
    """FaceMesh with irises. A face that it saw in the last frame is looked for where its points were."""

    def __init__(self, config: LandmarksConfig) -> None:
        self._graph = Graph(_GRAPH, ["landmarks", "presence"])
        self._last: dict[str, Landmarks] = {}
        self._least = config.presence

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The points of each track's face, None where FaceMesh sees none."""
        found = [self._find(frame, track) for track in tracks]
        self._last = {track.id: points for track, points in zip(tracks, found, strict=True) if points is not None}
        return found

    @property
    def untracked_detections(self) -> list[Detection]:
        """It looks only where it is told to."""
        return []

    def reset(self) -> None:
        """Forget the faces: the next frame has nothing to do with the last."""
        self._last = {}

    def close(self) -> None:
        """Free the network."""
        self._graph.close()

    def _find(self, frame: Frame, track: Track) -> Landmarks | None:
        if not track.fresh and track.id in self._last:
            return self._look(frame, region_of_points(self._last[track.id].points))
        seen = self._look(frame, region_of_crop(track))
        return self._look(frame, region_of_points(seen.points)) if seen is not None else None

    def _look(self, frame: Frame, region: Region) -> Landmarks | None:
        """The points in a region, None where there is no face or nothing of the image."""
        if not _touches(region, frame.image.shape[1], frame.image.shape[0]):
            return None
        answer = self._graph(values_packet(_cut(frame.image, region)))
        presence = mediapipe.packet_getter.get_float(answer["presence"])
        if presence < self._least:
            return None
        points = _placed(coordinates(message_bytes(answer["landmarks"])), region)
        return Landmarks(points.astype(np.float32), presence)


def coordinates(message: bytes) -> NDArray[np.float32]:
    """(n, 3) of the bytes of a NormalizedLandmarkList; reading it attribute by attribute takes twenty times as long."""
    count, rest = divmod(len(message), _POINT)
    if not rest and all(message[place::_POINT] == tag * count for place, tag in _BETWEEN.items()):
        return unpacked(message, _POINT, _PLACES)
    points = landmark_pb2.NormalizedLandmarkList.FromString(message).landmark
    return np.array([(point.x, point.y, point.z) for point in points], np.float32).reshape(-1, 3)


def region_of_points(points: FloatArray) -> Region:
    """Where MediaPipe looks for a face whose points (478, >= 2) were seen: turned with the line through the eyes."""
    box = bounding_box(points)
    across, down = points[_LEFT_EYE, :2] - points[_RIGHT_EYE, :2]
    x, y, side = box.x + box.width / 2, box.y + box.height / 2, _MARGIN * max(box.width, box.height)
    return Region(x, y, side, math.atan2(down, across))


def region_of_crop(track: Track) -> Region:
    """The same for a face of which only the crop is known, and how its eye line is turned."""
    crop, side = track.crop, _FRESH_CROP_SIDE if track.fresh else _CROP_SIDE
    x = crop.x + crop.width / 2 + math.sin(track.roll) * _CROP_UP * crop.height
    y = crop.y + crop.height / 2 - math.cos(track.roll) * _CROP_UP * crop.height
    return Region(x, y, side * crop.width, track.roll)


def _touches(region: Region, width: int, height: int) -> bool:
    """Whether the region, turned as it is, may show anything of an image of this size."""
    reach = region.side * math.sqrt(0.5) + 1.0
    return -reach < region.x < width + reach and -reach < region.y < height + reach


def _cut(image: NDArray[np.uint8], region: Region) -> NDArray[np.float32]:
    """(_SIDE, _SIDE, 3) RGB in 0..1, what MediaPipe would cut out: it counts places from a corner and reads the pixels
    there as if they were counted from their middle, before and after."""
    x, y = _along(region, region.side / _SIDE)
    half = _SIDE / 2
    start = region.x + 0.5 - half * (x - y), region.y + 0.5 - half * (x + y)
    return cut_region(image, np.array([[x, -y, start[0]], [y, x, start[1]]]), _SIDE)


def _placed(points: FloatArray, region: Region) -> FloatArray:
    """The points (478, 3) in image pixels, given in parts of the region's side from its corner."""
    x, y = _along(region, region.side)
    start = region.x - 0.5 * (x - y), region.y - 0.5 * (x + y)
    axes = np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, region.side]])
    return transformed(points, axes, np.array([*start, 0.0]))


def _along(region: Region, length: float) -> tuple[float, float]:
    """So many pixels to the right in the region as x and y in the image; downwards in it they are -y and x."""
    return length * math.cos(region.rotation), length * math.sin(region.rotation)


create = MediapipeSolutions
