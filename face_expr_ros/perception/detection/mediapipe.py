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
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import mediapipe
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, FloatArray, Roi
from face_expr_ros.perception.detection.boxes import best_of, cut_out, moved, overlap, shrink
from face_expr_ros.perception.mediapipe_graph import Graph, image_packet

Image = NDArray[np.uint8]

_LONGEST_SIDE = 1280  # pixels; the networks see far fewer, and a copy of the whole image would cost more than they do
_GUESS = 0.2  # score from which on a closer look is worth it
_SURE = (
    0.7  # score of the short-range network: in a closer look 99 % of rendered faces have it, of 134 wrong guesses none
)
_GUESSES = 3  # looked at in a camera's image; there is a next one
_FAR_EVERY = 4  # looks between two of the full-range network while the short-range one sees those who are followed
_REJECTED_KEPT = 24  # guesses remembered
_LIKELY = 0.5  # MediaPipe's own least score; enough where the fit says so too
_SAME = 0.3  # intersection over union from which on two boxes are one face
_TURNS = (math.radians(-45), math.radians(45))  # the networks know upright faces best
_GRAPH = """
    executor {{ type: "ApplicationThreadExecutor" }}
    input_stream: "input"
    output_stream: "detections"
    node {{ calculator: "{calculator}" input_stream: "IMAGE:input" output_stream: "DETECTIONS:detections" }}
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
    """The short-range network, the full-range one, or the second where the first is not sure of anybody.

    A large face does not hide small ones: now and then the second is asked although the first is sure of faces that are
    followed already. Of what it guesses, the places where nobody is followed are looked at, a few in each image; those
    where nobody was found wait until the others had their turn.
    """

    def __init__(self, backend: str, least_score: float) -> None:
        """Loads the networks of a backend: "mediapipe", "mediapipe_short" or "mediapipe_full"."""
        self._backend = backend
        self._least_score = least_score
        self._short = _Network(_SHORT)
        self._full = _Network(_FULL)
        self.reset()

    def reset(self) -> None:
        """Forget where nobody was found: the next image has nothing to do with the last."""
        self._looks_near = 0  # since the full-range network was asked
        self._rejected_candidates: deque[Roi] = deque(maxlen=_REJECTED_KEPT)

    def __call__(self, image: Image, thorough: bool = False, followed: Sequence[Roi] = ()) -> list[Detection]:
        """The faces in a (height, width, 3) BGR image, the best first.

        `thorough` asks all networks, and looks at parts of the image and at the image turned to both sides as well.
        Where the boxes `followed` are, no closer look is taken.
        """
        if not thorough:
            return best_of(self._detect_fast(image, followed), _SAME)
        found = self._look(image)
        for left, top, part in _parts(image):
            found += [moved(seen, left, top) for seen in self._look(part) if seen.score >= _SURE]
        turned = [detection for angle in _TURNS for detection in self._turned(image, angle)]
        return _upright_first(best_of(found, _SAME), best_of(turned, _SAME))

    def closer(self, image: Image, roi: Roi) -> Detection | None:
        """The face in a box of an image, None where there is none: the short-range network on the part around it."""
        best = self._closer(image, roi)
        return best if best is not None and best.score >= _LIKELY else None

    def close(self) -> None:
        """Free the networks."""
        self._short.close()
        self._full.close()

    def _look(self, image: Image) -> list[Detection]:
        """What all networks of the backend find."""
        found = [] if self._backend == "mediapipe_full" else self._near(image)
        return found if self._backend == "mediapipe_short" else found + self._sure(image, self._guesses(image))

    def _detect_fast(self, image: Image, followed: Sequence[Roi]) -> list[Detection]:
        """What there is time to find in a camera's image."""
        found = [] if self._backend == "mediapipe_full" else self._near(image)
        if self._backend == "mediapipe_short" or self._is_enough(found, followed):
            return found
        guesses = [guess for guess in self._guesses(image) if not _is_among(guess, followed)]
        unseen = [guess for guess in guesses if not _is_among(guess, self._rejected_candidates)]
        if not unseen:
            unseen = guesses
            self._rejected_candidates.clear()
        sure = self._sure(image, unseen[:_GUESSES])
        places = [detection.roi for detection in sure]
        self._rejected_candidates += [guess.roi for guess in unseen[:_GUESSES] if not _is_among(guess, places)]
        return found + sure

    def _is_enough(self, found: list[Detection], followed: Sequence[Roi]) -> bool:
        """Whether the full-range network need not be asked after what the short-range one found."""
        sure = [detection for detection in found if detection.score >= _SURE]
        known = all(_is_among(detection, followed) for detection in sure)
        if not sure or (known and self._looks_near + 1 >= _FAR_EVERY):
            self._looks_near = 0
            return False
        self._looks_near += 1
        return True

    def _near(self, image: Image) -> list[Detection]:
        return [detection for detection in self._short(image) if detection.score >= self._least_score]

    def _turned(self, image: Image, angle: float) -> list[Detection]:
        """What the short-range network finds in the image, turned counter-clockwise by an angle in radians."""
        small, scale = shrink(image, _LONGEST_SIDE)
        height, width = small.shape[:2]
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), math.degrees(angle), 1.0)
        back = cv2.invertAffineTransform(turn)
        found = self._near(cv2.warpAffine(small, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))
        return [_turned_back(detection, back, angle, scale) for detection in found]

    def _guesses(self, image: Image) -> list[Detection]:
        """The full-range network's, the best first."""
        return sorted(self._full(image), key=lambda guess: -guess.score)

    def _sure(self, image: Image, guesses: Sequence[Detection]) -> list[Detection]:
        """What the short-range network, looking closer, is sure of."""
        looks = [self._closer(image, guess.roi) for guess in guesses]
        return [seen for seen in looks if seen is not None and seen.score >= _SURE]

    def _closer(self, image: Image, roi: Roi) -> Detection | None:
        left, top, part = cut_out(image, roi)
        seen = [moved(detection, left, top) for detection in self._short(part)]
        same = [detection for detection in seen if overlap(detection.roi, roi) >= _SAME]
        return max(same, key=lambda detection: detection.score, default=None)


class _Network:
    """One of the two, on images of any size."""

    def __init__(self, kind: _Range) -> None:
        self._kind = kind
        self._graph = Graph(_GRAPH.format(calculator=kind.calculator), ["detections"], least_score=_GUESS)

    def __call__(self, image: Image) -> list[Detection]:
        if not image.size:
            return []
        packet = self._graph(image_packet(_rgb(shrink(image, _LONGEST_SIDE)[0]))).get("detections")
        found = [] if packet is None else mediapipe.packet_getter.get_proto_list(packet)
        return [_detection(entry, self._kind, image.shape[1], image.shape[0]) for entry in found]

    def close(self) -> None:
        self._graph.close()


def _rgb(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _is_among(detection: Detection, places: Sequence[Roi]) -> bool:
    return any(overlap(detection.roi, place) >= _SAME for place in places)


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


def _upright_first(upright: list[Detection], turned: list[Detection]) -> list[Detection]:
    """All faces, each with the best score of any look at it; the upright look says best where it is."""

    def same(detection: Detection, others: list[Detection]) -> list[Detection]:
        return [other for other in others if overlap(detection.roi, other.roi) > _SAME]

    scored = [replace(seen, score=max(look.score for look in [seen, *same(seen, turned)])) for seen in upright]
    return scored + [detection for detection in turned if not same(detection, upright)]


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
