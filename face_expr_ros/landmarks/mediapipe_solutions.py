"""FaceMesh at the place of each face, through the graph that MediaPipe up to 0.10.21 has inside the wheel."""

from __future__ import annotations

import math

import mediapipe
import numpy as np
from mediapipe.framework.formats import landmark_pb2
from numpy.typing import NDArray

from face_expr_ros.config import LandmarksConfig
from face_expr_ros.geometry import bounding_box
from face_expr_ros.kernels.points import unpacked
from face_expr_ros.landmarks import in_pixels
from face_expr_ros.mediapipe_graph import ImageGraph, Region, message_bytes
from face_expr_ros.values import Detection, FloatArray, Frame, Landmarks, Track

# The calling thread does the work: MediaPipe would hand every node to another thread, and what comes next would find
# its cache cold.
_GRAPH = """
    executor { type: "ApplicationThreadExecutor" }
    input_stream: "image"
    input_stream: "region"
    input_side_packet: "with_attention"
    output_stream: "landmarks"
    node {
      calculator: "FaceLandmarkCpu"
      input_stream: "IMAGE:image"
      input_stream: "ROI:region"
      input_side_packet: "WITH_ATTENTION:with_attention"
      output_stream: "LANDMARKS:landmarks"
    }
"""
# Protocol Buffers' bytes of a point that has x, y and z alone: its own tag and its length, and a tag before each float.
# Other fields are read in the ordinary way.
_POINT, _PLACES = 17, (3, 8, 13)  # bytes, and where the floats are
_BETWEEN = {0: b"\x0a", 1: b"\x0f", 2: b"\x0d", 7: b"\x15", 12: b"\x1d"}  # by their places
_PRESENCE = "facelandmarkcpu__face_presence_score"  # below 0.5 the graph gives no landmarks
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners
_SIDE = 1.5  # of the long side of the points' box: MediaPipe's own margin
# From a crop, by the medians over rendered faces: the side in crops, and how far the middle lies towards the forehead.
# A detector's crop is larger than one from landmarks.
_CROP_SIDE, _FRESH_CROP_SIDE, _CROP_UP = 1.2, 1.0, 0.08


class MediapipeSolutions:
    """FaceMesh with irises. A face that it saw in the last frame is looked for where its points were."""

    def __init__(self, config: LandmarksConfig) -> None:
        self._graph = ImageGraph(_GRAPH, ["landmarks", _PRESENCE], with_attention=True)
        self._last: dict[str, Landmarks] = {}
        self._least = config.presence

    def __call__(self, frame: Frame, tracks: list[Track]) -> list[Landmarks | None]:
        """The points of each track's face, None where FaceMesh sees none."""
        found = [self._find(frame, track) for track in tracks]
        self._last = {track.id: points for track, points in zip(tracks, found, strict=True) if points is not None}
        return found

    @property
    def strangers(self) -> list[Detection]:
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
        left, top, right, bottom = _window(region, frame.image.shape[1], frame.image.shape[0])
        if right <= left or bottom <= top:
            return None
        shown = frame.image[top:bottom, left:right]
        answer = self._graph(shown, Region(region.x - left, region.y - top, region.side, region.rotation))
        if "landmarks" not in answer:
            return None
        presence = mediapipe.packet_getter.get_float(answer[_PRESENCE])
        if presence < self._least:
            return None
        points = coordinates(message_bytes(answer["landmarks"]))
        return in_pixels(points, shown.shape[1], shown.shape[0], corner=(left, top), confidence=presence)


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
    x, y, side = box.x + box.width / 2, box.y + box.height / 2, _SIDE * max(box.width, box.height)
    return Region(x, y, side, math.atan2(down, across))


def region_of_crop(track: Track) -> Region:
    """The same for a face of which only the crop is known, and how its eye line is turned."""
    crop, side = track.crop, _FRESH_CROP_SIDE if track.fresh else _CROP_SIDE
    x = crop.x + crop.width / 2 + math.sin(track.roll) * _CROP_UP * crop.height
    y = crop.y + crop.height / 2 - math.cos(track.roll) * _CROP_UP * crop.height
    return Region(x, y, side * crop.width, track.roll)


def _window(region: Region, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the image that the region, turned as it is, can touch."""
    reach = region.side * math.sqrt(0.5) + 2.0
    if not math.isfinite(region.x + region.y + reach):
        return 0, 0, 0, 0
    left, right = max(0, math.floor(region.x - reach)), min(width, math.ceil(region.x + reach))
    top, bottom = max(0, math.floor(region.y - reach)), min(height, math.ceil(region.y + reach))
    return left, top, right, bottom


create = MediapipeSolutions
