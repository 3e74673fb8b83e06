"""FaceMesh with attention and irises, with the calculators of MediaPipe up to 0.10.21."""

from __future__ import annotations

import mediapipe
import numpy as np
from mediapipe.framework.formats import landmark_pb2
from numpy.typing import NDArray

from face_expr_ros.perception.landmarks.regions import RegionWriter
from face_expr_ros.perception.mediapipe_graph import Graph, message_bytes, values_packet

# The nodes of MediaPipe's FaceLandmarkCpu except the one that cuts out the region: it converts the whole image to RGB
# first and takes three times as long as `kernels.regions`. The graph runs in the calling thread: by default MediaPipe
# runs every node in another thread, which leaves cold caches behind.
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
      output_stream: "TENSORS:region"
    }
    node {
      calculator: "InferenceCalculator"
      input_stream: "TENSORS:region"
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
# Protocol Buffers encoding of a point with only x, y and z: tag and length of the point, and a tag before each float.
# Points with other fields are parsed.
_POINT, _OFFSETS = 17, (3, 8, 13)  # size of a point and offsets of its floats, bytes
_TAGS = {0: b"\x0a", 1: b"\x0f", 2: b"\x0d", 7: b"\x15", 12: b"\x1d"}  # by offset


class SolutionsNetwork:
    """The FaceMesh network that MediaPipe has in its wheel."""

    side = 192

    def __init__(self) -> None:
        self._graph = Graph(_GRAPH, ["landmarks", "presence"])

    def __call__(self, write: RegionWriter) -> tuple[NDArray[np.float32], float, None]:
        """Landmarks and presence of a face in a region, see `regions.RegionNetwork`; no appearance."""
        region = np.empty((self.side, self.side, 3), np.float32)
        write(region)
        outputs = self._graph(values_packet(region))
        presence: float = mediapipe.packet_getter.get_float(outputs["presence"])
        return coordinates(message_bytes(outputs["landmarks"])), presence, None

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


def coordinates(message: bytes) -> NDArray[np.float32]:
    """(n, 3) points of a serialized NormalizedLandmarkList; reading its attributes takes twenty times as long."""
    count, remainder = divmod(len(message), _POINT)
    if count and not remainder and all(message[offset::_POINT] == tag * count for offset, tag in _TAGS.items()):
        step = _OFFSETS[1] - _OFFSETS[0]
        return np.ndarray((count, 3), "<f4", message, _OFFSETS[0], (_POINT, step)).copy()
    points = landmark_pb2.NormalizedLandmarkList.FromString(message).landmark
    return np.array([(point.x, point.y, point.z) for point in points], np.float32).reshape(-1, 3)
