"""Which face is which: ids that stay with a face from frame to frame, and where to look for it next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from face_expr_ros.core.config import TrackerConfig
from face_expr_ros.core.geometry import bounding_box, crop_from_box, crop_from_landmarks
from face_expr_ros.core.types import Detection, FaceFit, FloatArray, Roi, Track
from face_expr_ros.perception.detection.boxes import containment, overlap

_DUPLICATE_OVERLAP = 0.5  # intersection over union: two faces that share more are one face found twice
_PART_OF_FACE = 0.8  # of the smaller one
_SURE = 0.7  # score of a detection that is hardly ever wrong
_CROSSING = 0.1  # of the smaller one, that lies in the other
_JUMP_OVERLAP = 0.45  # of a detection with the crop of its track; with less, the crop follows the detection
_VELOCITY_MEMORY = 0.6  # weight of the old velocity against the newly seen one
_VELOCITY_HORIZON = 0.3  # seconds: after that a face has perhaps stopped, and its crop is no longer sure
_LONGEST_PAUSE = 3.0  # seconds without any image, after which the same place says little about who is there
_SIZE_WEIGHT = 1.0  # a face twice as large is as far away as one that moved ln 2 face widths
_SQUARE = np.array([[-0.5, -0.5], [0.5, 0.5]])
_LEAST_LOOKS = 3  # of the detector, in vain, before a face that only the fit holds on to is let go
_FACE_IN_CROP = math.sqrt(0.5)  # long side of the 68 points' box, in sides of the crop from landmarks
_FACE_IN_ROUGH_CROP = 0.6  # the same in the crop from a detector's box, which is a little larger (on rendered faces)


@dataclass
class _TrackState:
    """One face.

    Attributes:
        center, size: of its 68 points, pixels; velocity: of the center, pixels per second.
        crop, roll: where to look for it next, pixels and radians; fresh: whether that is a guess.
        stamp_ns: when it was last in view; place_ns: when its center was last learned.
        in_view: whether the last frame showed it.
        confirmed_ns: when FaceMesh or the detector last saw it; looks: of the detector, in vain, since then.
        doubt: the detector's, of a face that no fit has held yet.
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
    looks: int = 0
    doubt: float = 0.0

    def expected(self, stamp_ns: int) -> FloatArray:
        """(n, 2) places: where the face has moved on to and, after a gap, also where it was seen."""
        elapsed = (stamp_ns - self.place_ns) * 1e-9
        ahead = self.center + self.velocity * min(elapsed, _VELOCITY_HORIZON)
        return np.array([ahead] if elapsed <= _VELOCITY_HORIZON else [ahead, self.center])

    def distance(self, center: FloatArray, size: float, stamp_ns: int) -> float:
        """From the nearest place where the face is expected, in face widths, with the change of size on top."""
        moved = float(np.linalg.norm(center - self.expected(stamp_ns), axis=1).min()) / max(size, self.size)
        return moved + _SIZE_WEIGHT * abs(math.log(size / self.size))

    def box(self) -> Roi:
        """Around the face, pixels."""
        return bounding_box(self.center + self.size * _SQUARE)

    def is_doubted(self) -> bool:
        """Whether neither FaceMesh nor the detector saw the face in the last frame that showed it."""
        return self.confirmed_ns < self.stamp_ns

    def confirm(self, stamp_ns: int) -> None:
        self.confirmed_ns, self.looks = stamp_ns, 0

    def jump(self, detection: Detection, stamp_ns: int) -> None:
        """The detector says where the face is now."""
        self.crop, self.roll, self.fresh, self.in_view = crop_from_box(detection.roi), detection.roll, True, True
        self.doubt = 1.0 - detection.score
        self.confirm(stamp_ns)

    def follow(self, fit: FaceFit, stamp_ns: int, crossing: bool) -> None:
        """The fit says where the face is; of faces that cross, it may for a moment have slid over to the other one."""
        elapsed, crop = (stamp_ns - self.place_ns) * 1e-9, crop_from_landmarks(fit.landmarks68)
        if not crossing or elapsed > _VELOCITY_HORIZON:
            self._learn_place(*_place(crop), elapsed)
            self.place_ns = stamp_ns
        self.crop, self.roll, self.stamp_ns = crop, _roll(fit), stamp_ns
        self.fresh, self.in_view, self.doubt = False, True, 0.0

    def _learn_place(self, center: FloatArray, size: float, elapsed: float) -> None:
        if elapsed > 0:
            seen = (center - self.center) / elapsed
            self.velocity = _VELOCITY_MEMORY * self.velocity + (1 - _VELOCITY_MEMORY) * seen
        self.center, self.size = center, size


class Tracker:
    """Follows faces by their fits and gives each the id it had before, or a new one. Ids are never used twice.

    A frame is three steps: `needs_detector` and `wants_detector`, the tracker itself, and `update`.
    """

    def __init__(self, config: TrackerConfig, max_faces: int, look_interval: float) -> None:
        """Follows up to ``max_faces``; while it could follow more, there is a look every ``look_interval`` seconds."""
        self._config = config
        self._max_faces = max_faces
        self._look_interval = look_interval
        self._count = 0
        self._states: dict[str, _TrackState] = {}
        self._looked_ns: int | None = None  # when the detector last did
        self._last_stamp_ns: int | None = None

    def reset(self) -> None:
        """Forget all faces. The next id is still a new one."""
        self._states.clear()
        self._looked_ns = self._last_stamp_ns = None

    @property
    def ids(self) -> set[str]:
        """Of the faces that are followed, and of those that are lost and may still come back."""
        return set(self._states)

    def needs_detector(self, stamp_ns: int) -> bool:
        """Whether a frame taken at ``stamp_ns`` nanoseconds says nothing without the detector: nobody is followed, or
        there was a gap."""
        gap = self._last_stamp_ns is None or stamp_ns - self._last_stamp_ns > _VELOCITY_HORIZON * 1e9
        return gap or not any(state.in_view for state in self._states.values())

    def wants_detector(self, stamp_ns: int) -> bool:
        """Whether it is time for the detector to look at a frame taken at ``stamp_ns``, though somebody is followed.

        It is now and then while there is room for more faces or one is followed that FaceMesh does not see; never while
        all are followed and seen.
        """
        followed = [state for state in self._states.values() if state.in_view]
        doubted = any(state.is_doubted() for state in followed)
        due = self._looked_ns is None or (stamp_ns - self._looked_ns) * 1e-9 >= self._look_interval
        return due and (doubted or len(followed) < self._max_faces)

    def followed(self) -> list[Roi]:
        """The faces in view, as boxes in pixels."""
        return [state.box() for state in self._states.values() if state.in_view]

    def doubted(self) -> list[Roi]:
        """Those that only their fits hold on to: where the detector should look closer."""
        return [state.box() for state in self._states.values() if state.in_view and state.is_doubted()]

    def __call__(self, detections: Sequence[Detection] | None, stamp_ns: int) -> list[Track]:
        """The faces to look at in a frame taken at ``stamp_ns`` nanoseconds, in the order of their ids.

        Args:
            detections: what the detector found, in this frame or the one before; None where it was not asked.
            stamp_ns: the frame's time.
        """
        self._forget_lost(stamp_ns)
        if detections is not None:
            self._looked_ns = stamp_ns
        late = self._last_stamp_ns is not None and stamp_ns - self._last_stamp_ns > _VELOCITY_HORIZON * 1e9
        for state in self._states.values():
            state.fresh = late
        self._last_stamp_ns = stamp_ns
        if detections is not None:
            self._take(sorted(detections, key=_rank), stamp_ns)
        tracks = [
            Track(id, state.crop, None, state.fresh, state.roll) for id, state in self._states.items() if state.in_view
        ]
        return sorted(tracks, key=lambda track: int(track.id[1:]))

    def update(self, tracks: Sequence[Track], fits: Sequence[FaceFit], stamp_ns: int) -> list[bool]:
        """Which of the tracks that the tracker gave hold a face; the others are lost, and their ids wait for them."""
        held = [self._believes(self._states[track.id], fit) for track, fit in zip(tracks, fits, strict=True)]
        boxes = [bounding_box(fit.landmarks68) for fit in fits]
        for index in self._duplicates(tracks, fits, held, stamp_ns):
            held[index] = False
        for index, (track, fit) in enumerate(zip(tracks, fits, strict=True)):
            others = [box for other, box in enumerate(boxes) if held[other] and other != index]
            crossing = any(containment(boxes[index], box) > _CROSSING for box in others)
            held[index] = held[index] and self._follow(track, fit, stamp_ns, crossing)
            self._states[track.id].in_view = held[index]
        return held

    def _follow(self, track: Track, fit: FaceFit, stamp_ns: int, crossing: bool) -> bool:
        """Remember where the face is; whether it is still followed."""
        state = self._states[track.id]
        state.follow(fit, stamp_ns, crossing)
        if track.landmarks is not None:
            state.confirm(stamp_ns)
        return not self._unconfirmed(state, stamp_ns)

    def _believes(self, state: _TrackState, fit: FaceFit) -> bool:
        """Whether a fit holds a face; of a new one, whether detector and fit together leave little doubt."""
        doubt = state.doubt * (1.0 - fit.confidence)
        return fit.confidence >= self._config.min_confidence and 1.0 - doubt >= self._config.init_threshold

    def _unconfirmed(self, state: _TrackState, stamp_ns: int) -> bool:
        """Whether neither FaceMesh nor the detector has seen the face for too long, though the detector looked."""
        elapsed = (stamp_ns - state.confirmed_ns) * 1e-9
        return elapsed > self._config.unconfirmed_timeout and state.looks >= _LEAST_LOOKS

    def _forget_lost(self, stamp_ns: int) -> None:
        """A face of the last frame is not lost when the next frame is late: a busy machine leaves out images."""
        pause = max(_LONGEST_PAUSE, self._config.lost_track_timeout)
        kept = {True: stamp_ns - pause * 1e9, False: stamp_ns - self._config.lost_track_timeout * 1e9}
        self._states = {id: state for id, state in self._states.items() if state.stamp_ns >= kept[state.in_view]}

    def _take(self, detections: Sequence[Detection], stamp_ns: int) -> None:
        """Detections confirm followed faces, bring lost ones back and, while there is room, add new ones."""
        for state in self._states.values():
            state.looks += state.in_view
        ids = self._match(detections, stamp_ns)
        crops = [crop_from_box(detection.roi) for detection in detections]
        for index, detection in enumerate(detections):
            known = self._states.get(ids.get(index, "nobody"))
            if known is not None and known.in_view:
                known.confirm(stamp_ns)
                if overlap(known.crop, crops[index]) < _JUMP_OVERLAP:
                    known.jump(detection, stamp_ns)
            elif self._has_room_for(crops[index]):
                (known or self._new(detection, stamp_ns)).jump(detection, stamp_ns)

    def _has_room_for(self, crop: Roi) -> bool:
        followed = [state for state in self._states.values() if state.in_view]
        twice = any(overlap(crop, state.crop) > _DUPLICATE_OVERLAP for state in followed)
        return len(followed) < self._max_faces and not twice

    def _new(self, detection: Detection, stamp_ns: int) -> _TrackState:
        self._count += 1
        crop = crop_from_box(detection.roi)
        state = _TrackState(
            _middle(crop), _rough_size(crop), crop, detection.roll, stamp_ns, stamp_ns, velocity=np.zeros(2)
        )
        self._states[f"f{self._count}"] = state
        return state

    def _match(self, detections: Sequence[Detection], stamp_ns: int) -> dict[int, str]:
        """Index of the detection -> id: the assignment of least total distance from where the faces are expected."""
        ids = list(self._states)
        if not ids or not detections:
            return {}
        crops = [crop_from_box(detection.roi) for detection in detections]
        places = [(_middle(crop), _rough_size(crop)) for crop in crops]
        cost = np.array([[self._states[id].distance(*place, stamp_ns) for id in ids] for place in places])
        limit = self._config.max_distance
        pairs = zip(*linear_sum_assignment(np.minimum(cost, 2 * limit)), strict=True)
        return {int(i): ids[j] for i, j in pairs if cost[i, j] <= limit}

    def _duplicates(
        self, tracks: Sequence[Track], fits: Sequence[FaceFit], held: Sequence[bool], stamp_ns: int
    ) -> list[int]:
        """The tracks that lie on the face of another one: the new ones, and those that came from farther away."""
        if sum(held) < 2:
            return []

        def claim(index: int) -> tuple[bool, float]:
            state, fit = self._states[tracks[index].id], fits[index]
            if state.doubt > 0.0:
                return True, state.doubt * (1.0 - fit.confidence)
            return False, state.distance(*_place(crop_from_landmarks(fit.landmarks68)), stamp_ns)

        boxes = [bounding_box(fit.landmarks68) for fit in fits]
        kept: list[int] = []
        for index in sorted(np.flatnonzero(held), key=claim):
            if not any(_same_face(boxes[index], boxes[other]) for other in kept):
                kept.append(index)
        return [index for index in np.flatnonzero(held) if index not in kept]


def _same_face(a: Roi, b: Roi) -> bool:
    """Whether two faces are one, found twice; a face within a face is a mouth or an eye."""
    return overlap(a, b) > _DUPLICATE_OVERLAP or containment(a, b) > _PART_OF_FACE


def _rank(detection: Detection) -> tuple[bool, float]:
    """Faces that the detector is sure of come first, the large before the small."""
    return detection.score < _SURE, -detection.roi.height


def _place(crop: Roi) -> tuple[FloatArray, float]:
    """Center and size, in pixels, of the face whose crop from landmarks this is."""
    return _middle(crop), max(crop.width * _FACE_IN_CROP, 1.0)


def _middle(crop: Roi) -> FloatArray:
    return np.array([crop.x + crop.width / 2, crop.y + crop.height / 2])


def _rough_size(crop: Roi) -> float:
    return max(crop.width * _FACE_IN_ROUGH_CROP, 1.0)


def _roll(fit: FaceFit) -> float:
    """Of the head as it appears, radians: by its upright axis, which a profile shows too, unlike its eye line."""
    right, up = fit.weak_perspective[:2, 1]
    return math.atan2(right, up)
