"""The state of one track: where its face is, how it moves, and what confirms it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_expr_ros.core.geometry import crop_around, crop_from_box
from face_expr_ros.core.types import Detection, FaceFit, FloatArray, Roi
from face_expr_ros.perception.detection.boxes import roi_from_list, roi_to_list

_VELOCITY_SMOOTHING = 0.6  # weight of the old velocity against the newly measured one
VELOCITY_HORIZON = 0.3  # seconds; beyond it constant velocity is a poor prediction
_SIZE_WEIGHT = 1.0  # a face twice as large is as far away as one that moved ln 2 face widths
_FACE_IN_CROP = math.sqrt(0.5)  # long side of the box around the 68 points, in sides of the crop from landmarks
_FACE_IN_DETECTION_CROP = 0.6  # the same for the crop from a detector's box, measured on rendered faces


@dataclass
class TrackState:
    """The state of one track.

    Attributes:
        center, size: of the box around the 68 points, pixels; velocity: of the center, pixels per second.
        crop, roll: where the face is searched in the next frame, pixels and radians; fresh: whether that is uncertain.
        stamp_ns: of the last frame in which it was in view; place_ns: of the last frame that updated its center.
        in_view: whether it was in view in the last frame.
        confirmed_ns: when FaceMesh or the detector last found the face.
        misses: detection passes without a match since then.
        doubt: 1 - detection score, for a track that no fit has confirmed yet; else 0.
    """

    center: FloatArray
    size: float
    crop: Roi
    roll: float
    stamp_ns: int
    place_ns: int
    velocity: FloatArray
    fresh: bool = True
    in_view: bool = True
    confirmed_ns: int = 0
    misses: int = 0
    doubt: float = 0.0

    @classmethod
    def start(cls, detection: Detection, stamp_ns: int) -> TrackState:
        """A new track at a detection."""
        crop = crop_from_box(detection.roi)
        place = crop_center(crop), size_in_detection_crop(crop)
        return cls(*place, crop, detection.roll, stamp_ns, stamp_ns, velocity=np.zeros(2))

    def state_dict(self) -> dict[str, Any]:
        """Arrays and plain values."""
        return vars(self) | {"crop": roi_to_list(self.crop)}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> TrackState:
        """The inverse of `state_dict`."""
        return cls(**{**state, "crop": roi_from_list(state["crop"])})

    def predicted_centers(self, stamp_ns: int) -> FloatArray:
        """(n, 2) pixels: the center moved with its velocity and, after a gap, also the last known center."""
        elapsed = (stamp_ns - self.place_ns) * 1e-9
        ahead = self.center + self.velocity * min(elapsed, VELOCITY_HORIZON)
        return np.array([ahead] if elapsed <= VELOCITY_HORIZON else [ahead, self.center])

    def distance(self, center: FloatArray, size: float, stamp_ns: int) -> float:
        """From the nearest predicted center, in face widths, plus a penalty for the change of size."""
        moved = float(np.linalg.norm(center - self.predicted_centers(stamp_ns), axis=1).min()) / max(size, self.size)
        return moved + _SIZE_WEIGHT * abs(math.log(size / self.size))

    def box(self) -> Roi:
        """The box around the face, pixels."""
        (x, y), size = self.center.tolist(), self.size
        return Roi(x - size / 2, y - size / 2, size, size)

    def is_unconfirmed(self) -> bool:
        """Whether only the fit found the face in the last frame, neither FaceMesh nor the detector."""
        return self.confirmed_ns < self.stamp_ns

    def confirm(self, stamp_ns: int) -> None:
        self.confirmed_ns, self.misses = stamp_ns, 0

    def move_to(self, detection: Detection, stamp_ns: int) -> None:
        """Take the crop from a detection."""
        self.crop, self.roll, self.fresh, self.in_view = crop_from_box(detection.roi), detection.roll, True, True
        self.doubt = 1.0 - detection.score
        self.confirm(stamp_ns)

    def follow(self, fit: FaceFit, box: Roi, stamp_ns: int, crossing: bool) -> None:
        """Take the crop from the box around a fit's points.

        Where faces cross, the fit may be on the other face: the center is not updated.
        """
        elapsed, crop = (stamp_ns - self.place_ns) * 1e-9, crop_around(box)
        if not crossing or elapsed > VELOCITY_HORIZON:
            self._update_place(*place_in_crop(crop), elapsed)
            self.place_ns = stamp_ns
        self.crop, self.roll, self.stamp_ns = crop, _roll(fit), stamp_ns
        self.fresh, self.in_view, self.doubt = False, True, 0.0

    def _update_place(self, center: FloatArray, size: float, elapsed: float) -> None:
        if elapsed > 0:
            measured = (center - self.center) / elapsed
            self.velocity = _VELOCITY_SMOOTHING * self.velocity + (1 - _VELOCITY_SMOOTHING) * measured
        self.center, self.size = center, size


def place_in_crop(crop: Roi) -> tuple[FloatArray, float]:
    """Center and size, in pixels, of the face in a crop from landmarks."""
    return crop_center(crop), max(crop.width * _FACE_IN_CROP, 1.0)


def crop_center(crop: Roi) -> FloatArray:
    return np.array([crop.x + crop.width / 2, crop.y + crop.height / 2])


def size_in_detection_crop(crop: Roi) -> float:
    """Size, in pixels, of the face in a crop from a detector's box."""
    return max(crop.width * _FACE_IN_DETECTION_CROP, 1.0)


def _roll(fit: FaceFit) -> float:
    """The apparent roll of the head, radians, by its vertical axis, which unlike the eye line is visible in profile."""
    right, up, _ = fit.weak_perspective[:, 1].tolist()
    return math.atan2(right, up)
