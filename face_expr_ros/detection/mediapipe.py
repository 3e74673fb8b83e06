"""MediaPipe's face detectors (BlazeFace): the short-range network of 128 pixels and the full-range one of 192.

The full-range network sees small faces, and things that are none: on its own it took a drawn letter for a face with a
score of 0.67. The short-range network is hard to deceive where the face is large enough for it. So what the full-range
one finds is cut out, and the short-range one has the last word and says where the face is.

MediaPipe's boxes reach from the brows to the chin; ours reach from the forehead to the chin, as FaceBoxes' do. What is
added was measured on rendered faces, turned up to 90 degrees, as the median of what brings `geometry.crop_from_box` of
both detectors to the same place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import mediapipe
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.detection.boxes import best_of, overlap, shrink
from face_expr_ros.mediapipe_graph import ImageGraph
from face_expr_ros.values import Detection, FloatArray, Roi

Image = NDArray[np.uint8]

_LONGEST_SIDE = 1280  # pixels; the networks see far fewer, and a copy of the whole image would cost more than they do
_GUESS = 0.2  # score from which on a closer look is worth it
_CLOSE_CONFIDENCE = 0.7  # of a closer look: rendered faces have more (99 %), of 134 wrong guesses none
_CLOSE_SIDE = 2.5  # of the part that is cut out, in boxes
_SAME = 0.3  # intersection over union from which on two boxes are one face
_TURNS = (math.radians(-45), math.radians(45))  # the networks know upright faces best
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
        calculator: MediaPipe's name of the network.
        size: of our box.
        up: how far its middle is moved along the face, towards the forehead.
        nose: how much of the nose's offset from the middle it is moved back: the full-range box runs ahead to where the
            face looks.
    """

    calculator: str
    size: float
    up: float
    nose: float


_SHORT = _Range("FaceDetectionShortRangeCpu", size=0.98, up=0.13, nose=0.0)
_FULL = _Range("FaceDetectionFullRangeCpu", size=1.08, up=0.08, nose=0.8)


class MediapipeDetector:
    """The short-range network, the full-range one, or the second where the first finds nobody."""

    def __init__(self, backend: str, least_score: float) -> None:
        """Loads the networks of a backend: "mediapipe", "mediapipe_short" or "mediapipe_full"."""
        self._backend = backend
        self._least_score = least_score
        self._short = _Network(_SHORT)
        self._full = _Network(_FULL)

    def __call__(self, image: Image, thorough: bool = False) -> list[Detection]:
        """The faces in a (height, width, 3) BGR image, the best first.

        `thorough` asks all networks, and looks at parts of the image and at the image turned to both sides as well.
        """
        found: list[Detection] = []
        if self._backend != "mediapipe_full":
            found += self._near(image)
        if self._backend != "mediapipe_short" and (thorough or not found):
            found += self._far(image)
        if not thorough:
            return best_of(found, _SAME)
        for left, top, part in _parts(image):
            found += [_moved(detection, left, top) for detection in self._far(part)]
        upright = best_of(found, _SAME)
        turned = [detection for angle in _TURNS for detection in self._turned(image, angle)]
        return upright + [detection for detection in best_of(turned, _SAME) if _is_another(detection, upright)]

    def close(self) -> None:
        """Free the networks."""
        self._short.close()
        self._full.close()

    def _near(self, image: Image) -> list[Detection]:
        return [detection for detection in self._short(image) if detection.score >= self._least_score]

    def _turned(self, image: Image, angle: float) -> list[Detection]:
        """What the short-range network finds in the image, turned counter-clockwise by an angle in radians."""
        small, scale = shrink(image, _LONGEST_SIDE)
        height, width = small.shape[:2]
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), math.degrees(angle), 1.0)
        back = cv2.invertAffineTransform(turn)
        found = self._near(cv2.warpAffine(small, turn, (width, height)))
        return [_turned_back(detection, back, angle, scale) for detection in found]

    def _far(self, image: Image) -> list[Detection]:
        """What the full-range network guesses and the short-range one, looking closer, calls a face."""
        looks = [self._closer(image, guess) for guess in self._full(image)]
        return [detection for detection in looks if detection is not None]

    def _closer(self, image: Image, guess: Detection) -> Detection | None:
        left, top, part = _cut_out(image, guess.roi)
        seen = [_moved(detection, left, top) for detection in self._short(part)]
        same = [detection for detection in seen if overlap(detection.roi, guess.roi) >= _SAME]
        best = max(same, key=lambda detection: detection.score, default=None)
        return best if best is not None and best.score >= _CLOSE_CONFIDENCE else None


class _Network:
    """One of the two, on images of any size."""

    def __init__(self, kind: _Range) -> None:
        self._kind = kind
        self._graph = ImageGraph(_GRAPH.format(calculator=kind.calculator), ["detections"], least_score=_GUESS)

    def __call__(self, image: Image) -> list[Detection]:
        if not image.size:
            return []
        packet = self._graph(shrink(image, _LONGEST_SIDE)[0]).get("detections")
        found = [] if packet is None else mediapipe.packet_getter.get_proto_list(packet)
        return [_detection(entry, self._kind, image.shape[1], image.shape[0]) for entry in found]

    def close(self) -> None:
        self._graph.close()


def _cut_out(image: Image, roi: Roi) -> tuple[int, int, Image]:
    """Left, top and pixels of the part around a box; empty where they do not overlap."""
    x, y = roi.x + roi.width / 2, roi.y + roi.height / 2
    reach = _CLOSE_SIDE * max(roi.width, roi.height) / 2
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    return left, top, image[top : max(top, math.ceil(y + reach)), left : max(left, math.ceil(x + reach))]


def _parts(image: Image) -> Iterator[tuple[int, int, Image]]:
    """Parts of half the longer side, half of each in the next one."""
    height, width = image.shape[:2]
    side = (max(height, width) + 1) // 2
    for top in _steps(height, side):
        for left in _steps(width, side):
            yield left, top, image[top : top + side, left : left + side]


def _steps(length: int, side: int) -> list[int]:
    """Where parts begin so that they cover a length, evenly."""
    count = 1 if length <= side else math.ceil(2 * (length - side) / side) + 1
    return np.linspace(0, max(0, length - side), count).astype(int).tolist()


def _is_another(detection: Detection, known: list[Detection]) -> bool:
    return all(overlap(detection.roi, other.roi) <= _SAME for other in known)


def _moved(detection: Detection, left: int, top: int) -> Detection:
    return replace(detection, roi=replace(detection.roi, x=detection.roi.x + left, y=detection.roi.y + top))


def _turned_back(detection: Detection, back: FloatArray, angle: float, scale: float) -> Detection:
    """A detection in the turned and shrunk image, in the image itself; ``back`` is the (2, 3) way there."""
    roi, side = detection.roi, detection.roi.width / scale
    x, y = back @ [roi.x + roi.width / 2, roi.y + roi.height / 2, 1.0]
    x, y = (x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5  # pixels are counted from their centers
    return replace(detection, roi=Roi(x - side / 2, y - side / 2, side, side), roll=detection.roll + angle)


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
