"""BlazeFace with two networks: the short-range one of 128 pixels and the full-range one of 192.

The full-range network finds small faces but has false positives: alone, it detected a drawn letter as a face with a
score of 0.67. The short-range network has few false positives where the face is large enough. Candidates of the
full-range network are therefore cut out and passed to the short-range one, which decides and gives the box.

MediaPipe's boxes reach from the brows to the chin; ours reach from the forehead to the chin, like those of FaceBoxes.
The correction was measured on rendered faces with yaw up to 90 degrees, as the median offset that brings
`geometry.crop_from_box` of both detectors to the same place.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Detection, FloatArray, Roi
from face_expr_ros.kernels.regions import warp_affine
from face_expr_ros.perception.detection.boxes import (
    best_of,
    cut_out,
    moved,
    overlap,
    reduced,
    roi_from_list,
    roi_to_list,
    shrink,
)

Image = NDArray[np.uint8]

CANDIDATE_SCORE = 0.2  # minimum score of a candidate that is verified
MAX_SIDE = 1280  # pixels; the networks use far fewer, and a copy of a larger image would cost more than they do
# Of the short-range network: in a cut-out, 99 % of rendered faces and none of 134 false candidates reach it.
_HIGH_SCORE = 0.7
_MAX_CANDIDATES = 3  # verified per camera image
_FULL_RANGE_EVERY = 4  # passes between two of the full-range network while the short-range one finds the tracked faces
_MAX_REJECTED = 24  # rejected candidates that are stored
_FAIR_SCORE = 0.5  # MediaPipe's own minimum score; enough where a fit confirms the face
_SAME_FACE = 0.3  # intersection over union above which two boxes are one face
_ANGLES = (math.radians(-45), math.radians(45))  # the networks are trained on upright faces
_RIGHT_EYE, _LEFT_EYE, _NOSE = 0, 1, 2


@dataclass(frozen=True)
class RawFace:
    """A detection as a BlazeFace network gives it.

    Attributes:
        box: (2, 2) upper left and lower right corner, image pixels; from the brows to the chin.
        keypoints: (6, 2) right eye, left eye, nose, mouth, right and left ear, image pixels.
        score: 0..1.
    """

    box: FloatArray
    keypoints: FloatArray
    score: float


class Network(Protocol):
    """A BlazeFace network, for images of any size."""

    def __call__(self, image: Image, small: Image | None = None) -> list[RawFace]:
        """The faces in a (height, width, 3) BGR image whose score is at least `CANDIDATE_SCORE`.

        ``small`` is the image `reduced` to `MAX_SIDE`, if it is available.
        """

    def close(self) -> None:
        """Free the network."""


@dataclass(frozen=True)
class _Correction:
    """The correction of a network's box, relative to the mean of the box's width and height.

    Attributes:
        size: of the corrected box.
        up: shift of the center along the face, towards the forehead.
        nose: shift of the center against the offset of the nose: the full-range box is shifted in the direction in
            which the face is turned.
    """

    size: float
    up: float
    nose: float


_SHORT = _Correction(size=0.98, up=0.13, nose=0.0)
_FULL = _Correction(size=1.08, up=0.08, nose=0.8)


class BlazeFaceDetector:
    """The short-range network, the full-range one, or the second where the first is not confident.

    The full-range network also runs now and then while the short-range one finds the tracked faces, so that a large
    face does not hide small ones. Of its candidates, those without a track are verified, a few in each image; rejected
    ones are verified again only after all others.
    """

    def __init__(self, short: Network, full: Network, ranges: str, min_score: float) -> None:
        """Takes the two networks and which of them search the image.

        Args:
            short, full: the networks.
            ranges: "both", "short" or "full"; the candidates of the full-range network are verified by the other.
            min_score: minimum score of the short-range network's detections.
        """
        self._ranges = ranges
        self._min_score = min_score
        self._networks = (short, full)
        self._short = _corrected(short, _SHORT)
        self._full = _corrected(full, _FULL)
        self.reset()

    def reset(self) -> None:
        """Delete the rejected candidates: the next image is unrelated to the previous ones."""
        self._short_passes = 0  # since the full-range network last ran
        self._rejected_candidates: deque[Roi] = deque(maxlen=_MAX_REJECTED)

    def state_dict(self) -> dict[str, Any]:
        """The state between two images."""
        rejected = [roi_to_list(roi) for roi in self._rejected_candidates]
        return {"short_passes": self._short_passes, "rejected": rejected}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.reset()
        self._short_passes = state["short_passes"]
        self._rejected_candidates += [roi_from_list(roi) for roi in state["rejected"]]

    def __call__(self, image: Image, thorough: bool = False, tracked: Sequence[Roi] = ()) -> list[Detection]:
        """The faces in an image, best first.

        Args:
            image: (height, width, 3) BGR.
            thorough: run all networks, also on parts of the image and on the image rotated to both sides.
            tracked: boxes in which candidates are not verified.
        """
        if not thorough:
            return best_of(self._detect_fast(image, tracked), _SAME_FACE)
        found = self._detect_all(image)
        for left, top, part in _parts(image):
            found += [moved(one, left, top) for one in self._detect_all(part) if one.score >= _HIGH_SCORE]
        rotated = [detection for angle in _ANGLES for detection in self._detect_rotated(image, angle)]
        return _merged(best_of(found, _SAME_FACE), best_of(rotated, _SAME_FACE))

    def closer(self, image: Image, roi: Roi) -> Detection | None:
        """The face that the short-range network finds in the part of an image around a box; None if there is none."""
        best = self._closer(image, roi)
        return best if best is not None and best.score >= _FAIR_SCORE else None

    def close(self) -> None:
        """Free the networks."""
        for network in self._networks:
            network.close()

    def _detect_all(self, image: Image) -> list[Detection]:
        """The results of all networks that search the image."""
        found = [] if self._ranges == "full" else self._detect_short(image)
        return found if self._ranges == "short" else found + self._verified(image, self._candidates(image))

    def _detect_fast(self, image: Image, tracked: Sequence[Roi]) -> list[Detection]:
        """The detections within the time budget of a camera image."""
        small = reduced(image, MAX_SIDE) if image.size else None
        found = [] if self._ranges == "full" else self._detect_short(image, small)
        if self._ranges == "short" or self._is_enough(found, tracked):
            return found
        candidates = [candidate for candidate in self._candidates(image, small) if not _is_among(candidate, tracked)]
        new = [candidate for candidate in candidates if not _is_among(candidate, self._rejected_candidates)]
        if not new:
            new = candidates
            self._rejected_candidates.clear()
        verified = self._verified(image, new[:_MAX_CANDIDATES])
        places = [detection.roi for detection in verified]
        self._rejected_candidates += [one.roi for one in new[:_MAX_CANDIDATES] if not _is_among(one, places)]
        return found + verified

    def _is_enough(self, found: list[Detection], tracked: Sequence[Roi]) -> bool:
        """Whether the full-range network can be skipped after the short-range one found these."""
        confident = [detection for detection in found if detection.score >= _HIGH_SCORE]
        all_tracked = all(_is_among(detection, tracked) for detection in confident)
        if not confident or (all_tracked and self._short_passes + 1 >= _FULL_RANGE_EVERY):
            self._short_passes = 0
            return False
        self._short_passes += 1
        return True

    def _detect_short(self, image: Image, small: Image | None = None) -> list[Detection]:
        return [detection for detection in self._short(image, small) if detection.score >= self._min_score]

    def _detect_rotated(self, image: Image, angle: float) -> list[Detection]:
        """The short-range network's detections in the image rotated counterclockwise by an angle in radians."""
        small, scale = shrink(image, MAX_SIDE)
        height, width = small.shape[:2]
        forward = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), math.degrees(angle), 1.0)
        back = cv2.invertAffineTransform(forward)
        turned = np.ascontiguousarray(warp_affine(small, back, (width, height))[:, :, ::-1])
        found = self._detect_short(turned)
        return [_rotated_back(detection, back, angle, scale) for detection in found]

    def _candidates(self, image: Image, small: Image | None = None) -> list[Detection]:
        """The full-range network's detections, best first."""
        return sorted(self._full(image, small), key=lambda candidate: -candidate.score)

    def _verified(self, image: Image, candidates: Sequence[Detection]) -> list[Detection]:
        """The candidates that the short-range network finds with a high score in a cut-out."""
        closer = [self._closer(image, candidate.roi) for candidate in candidates]
        return [one for one in closer if one is not None and one.score >= _HIGH_SCORE]

    def _closer(self, image: Image, roi: Roi) -> Detection | None:
        left, top, part = cut_out(image, roi)
        found = [moved(detection, left, top) for detection in self._short(part)]
        same = [detection for detection in found if overlap(detection.roi, roi) >= _SAME_FACE]
        return max(same, key=lambda detection: detection.score, default=None)


def _corrected(network: Network, correction: _Correction) -> Callable[..., list[Detection]]:
    """The network with corrected boxes."""
    return lambda *images: [_detection(face, correction) for face in network(*images)]


def _is_among(detection: Detection, places: Sequence[Roi]) -> bool:
    return any(overlap(detection.roi, place) >= _SAME_FACE for place in places)


def _parts(image: Image) -> Iterator[tuple[int, int, Image]]:
    """Square parts of half the longer side, each overlapping the next by half."""
    height, width = image.shape[:2]
    side = (max(height, width) + 1) // 2
    for top in _steps(height, side):
        for left in _steps(width, side):
            yield left, top, image[top : top + side, left : left + side]


def _steps(length: int, side: int) -> list[int]:
    """The starts of parts that cover a length evenly."""
    count = 1 if length <= side else math.ceil(2 * (length - side) / side) + 1
    return np.linspace(0, max(0, length - side), count).astype(int).tolist()


def _merged(upright: list[Detection], rotated: list[Detection]) -> list[Detection]:
    """All faces, each with the best score of all its detections; the upright detection has the most accurate box."""

    def same(detection: Detection, others: list[Detection]) -> list[Detection]:
        return [other for other in others if overlap(detection.roi, other.roi) > _SAME_FACE]

    scored = [replace(one, score=max(each.score for each in [one, *same(one, rotated)])) for one in upright]
    return scored + [detection for detection in rotated if not same(detection, upright)]


def _rotated_back(detection: Detection, back: FloatArray, angle: float, scale: float) -> Detection:
    """A detection in the rotated and scaled image, in the image itself; ``back`` is the inverse (2, 3) rotation."""
    roi, side = detection.roi, detection.roi.width / scale
    x, y = back @ [roi.x + roi.width / 2, roi.y + roi.height / 2, 1.0]
    x, y = (x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5  # the center of the first pixel is (0, 0)
    return replace(detection, roi=Roi(x - side / 2, y - side / 2, side, side), roll=detection.roll + angle)


def _detection(face: RawFace, correction: _Correction) -> Detection:
    size = float((face.box[1] - face.box[0]).mean())
    center = face.box.mean(axis=0)
    eyes = face.keypoints[_LEFT_EYE] - face.keypoints[_RIGHT_EYE]
    roll = math.atan2(eyes[1], eyes[0])
    side = correction.size * size
    left, top = center + _center_shift(face.keypoints[_NOSE] - center, roll, correction, size) - side / 2
    return Detection(Roi(float(left), float(top), side, side), face.score, roll)


def _center_shift(nose: FloatArray, roll: float, correction: _Correction, size: float) -> FloatArray:
    """The shift (2,) of the box's center in pixels, for a nose at an offset (2,) from it."""
    right, down = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    shift: FloatArray = -correction.nose * (nose @ right) * right - correction.up * size * down
    return shift
