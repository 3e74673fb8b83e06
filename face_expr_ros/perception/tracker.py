"""Assigns persistent ids to faces and predicts where each face is in the next frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from face_expr_ros.core.assignment import least_cost_pairs
from face_expr_ros.core.config import TrackerConfig
from face_expr_ros.core.geometry import bounding_box, crop_from_box, crop_from_landmarks
from face_expr_ros.core.types import Detection, FaceFit, Roi, Track
from face_expr_ros.perception.detection.boxes import containment, overlap
from face_expr_ros.perception.track_state import (
    VELOCITY_HORIZON,
    TrackState,
    crop_center,
    place_in_crop,
    size_in_detection_crop,
)

_DUPLICATE_OVERLAP = 0.5  # intersection over union; two faces that share more are one face, detected twice
_MAX_CONTAINMENT = 0.8  # of the smaller box in the larger one; with more, it is a part of that face
_HIGH_SCORE = 0.7  # of a detection that is almost never a false positive
_CROSSING = 0.1  # of the smaller box that lies in the other
_JUMP_OVERLAP = 0.45  # of a detection with the crop of its track; with less, the crop is taken from the detection
_MAX_PAUSE = 3.0  # seconds without any image after which a face at the same place may be another person
_MIN_MISSES = 3  # detection passes without a match before an unconfirmed track is deleted


class Tracker:
    """Follows faces by their fits. A face keeps its id as long as its track lives; ids are never reused.

    Per frame: call the tracker for the tracks to fit, then `update` with their fits.
    """

    def __init__(self, config: TrackerConfig, max_faces: int, id_prefix: str = "", first_id: int = 1) -> None:
        """Follows up to ``max_faces`` at the same time; the first is ``<id_prefix>f<first_id>``."""
        self._config = config
        self._max_faces = max_faces
        self._prefix = f"{id_prefix}f"
        self._count = max(first_id, 1) - 1
        self._states: dict[str, TrackState] = {}
        self._last_stamp_ns: int | None = None

    def reset(self) -> None:
        """Delete all tracks; ids continue."""
        self._states.clear()
        self._last_stamp_ns = None

    @property
    def ids(self) -> set[str]:
        """The ids of all tracks: in view, or lost and not yet deleted."""
        return set(self._states)

    def can_predict(self, stamp_ns: int) -> bool:
        """Whether a track is in view and the frame at ``stamp_ns`` is close enough to the last one to predict it."""
        return not self._is_late(stamp_ns) and self.has_faces()

    def can_add_tracks(self) -> bool:
        """Whether fewer than ``max_faces`` tracks are in view."""
        return sum(state.in_view for state in self._states.values()) < self._max_faces

    def has_faces(self) -> bool:
        """Whether a track is in view."""
        return any(state.in_view for state in self._states.values())

    def boxes(self) -> list[Roi]:
        """The faces in view, pixels."""
        return [state.box() for state in self._states.values() if state.in_view]

    def unconfirmed_boxes(self) -> list[Roi]:
        """The faces in view that only their fits found in the last frame, pixels."""
        return [state.box() for state in self._states.values() if state.in_view and state.is_unconfirmed()]

    def __call__(self, detections: Sequence[Detection] | None, stamp_ns: int) -> list[Track]:
        """The faces to fit in the frame at ``stamp_ns`` nanoseconds, in the order of their ids.

        Args:
            detections: in this frame or the previous one; None if the detector did not run.
            stamp_ns: of the frame.
        """
        self._delete_lost(stamp_ns)
        late = self._last_stamp_ns is not None and self._is_late(stamp_ns)
        for state in self._states.values():
            state.fresh = late
        self._last_stamp_ns = stamp_ns
        if detections is not None:
            self._add_detections(sorted(detections, key=_rank), stamp_ns)
        tracks = [
            Track(id, state.crop, None, state.fresh, state.roll) for id, state in self._states.items() if state.in_view
        ]
        return sorted(tracks, key=lambda track: int(track.id.removeprefix(self._prefix)))

    def update(self, tracks: Sequence[Track], fits: Sequence[FaceFit], stamp_ns: int) -> list[bool]:
        """Update the tracks with their fits.

        Returns:
            For each track whether it is kept in view; the others are lost, and their ids are kept for a while.
        """
        kept = [self._is_accepted(self._states[track.id], fit) for track, fit in zip(tracks, fits, strict=True)]
        boxes = [bounding_box(fit.landmarks68) for fit in fits]
        for index in self._duplicates(tracks, fits, kept, stamp_ns):
            kept[index] = False
        for index, (track, fit) in enumerate(zip(tracks, fits, strict=True)):
            others = [box for other, box in enumerate(boxes) if kept[other] and other != index]
            crossing = any(containment(boxes[index], box) > _CROSSING for box in others)
            kept[index] = kept[index] and self._follow(track, fit, boxes[index], stamp_ns, crossing)
            self._states[track.id].in_view = kept[index]
        return kept

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        tracks = {id: state.state_dict() for id, state in self._states.items()}
        return {"count": self._count, "last_stamp_ns": self._last_stamp_ns, "tracks": tracks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._count, self._last_stamp_ns = state["count"], state["last_stamp_ns"]
        self._states = {id: TrackState.from_state_dict(values) for id, values in state["tracks"].items()}

    def _is_late(self, stamp_ns: int) -> bool:
        return self._last_stamp_ns is None or stamp_ns - self._last_stamp_ns > VELOCITY_HORIZON * 1e9

    def _follow(self, track: Track, fit: FaceFit, box: Roi, stamp_ns: int, crossing: bool) -> bool:
        """Update a track with its fit; False if it has been unconfirmed for too long."""
        state = self._states[track.id]
        state.follow(fit, box, stamp_ns, crossing)
        if track.landmarks is not None:
            state.confirm(stamp_ns)
        return not self._has_expired(state, stamp_ns)

    def _is_accepted(self, state: TrackState, fit: FaceFit) -> bool:
        """Whether the fit is confident enough; for a new track, the detection and the fit together."""
        doubt = state.doubt * (1.0 - fit.confidence)
        return fit.confidence >= self._config.min_confidence and 1.0 - doubt >= self._config.init_threshold

    def _has_expired(self, state: TrackState, stamp_ns: int) -> bool:
        """Whether neither FaceMesh nor the detector confirmed the face in time, though the detector has run."""
        elapsed = (stamp_ns - state.confirmed_ns) * 1e-9
        return elapsed > self._config.unconfirmed_timeout and state.misses >= _MIN_MISSES

    def _delete_lost(self, stamp_ns: int) -> None:
        """Delete tracks whose face was last in view too long ago.

        A track in view in the last frame is kept longer: under load, images are dropped.
        """
        pause = max(_MAX_PAUSE, self._config.lost_track_timeout)
        oldest = {True: stamp_ns - pause * 1e9, False: stamp_ns - self._config.lost_track_timeout * 1e9}
        self._states = {id: state for id, state in self._states.items() if state.stamp_ns >= oldest[state.in_view]}

    def _add_detections(self, detections: Sequence[Detection], stamp_ns: int) -> None:
        """Confirm tracks in view, recover lost ones and, up to ``max_faces``, start new ones."""
        for state in self._states.values():
            state.misses += state.in_view
        ids = self._match(detections, stamp_ns)
        crops = [crop_from_box(detection.roi) for detection in detections]
        for index, detection in enumerate(detections):
            known = self._states[ids[index]] if index in ids else None
            if known is not None and known.in_view:
                known.confirm(stamp_ns)
                if overlap(known.crop, crops[index]) < _JUMP_OVERLAP:
                    known.move_to(detection, stamp_ns)
            elif self._has_room_for(crops[index]):
                (known or self._new(detection, stamp_ns)).move_to(detection, stamp_ns)

    def _has_room_for(self, crop: Roi) -> bool:
        duplicate = any(
            overlap(crop, state.crop) > _DUPLICATE_OVERLAP for state in self._states.values() if state.in_view
        )
        return self.can_add_tracks() and not duplicate

    def _new(self, detection: Detection, stamp_ns: int) -> TrackState:
        self._count += 1
        state = self._states[f"{self._prefix}{self._count}"] = TrackState.start(detection, stamp_ns)
        return state

    def _match(self, detections: Sequence[Detection], stamp_ns: int) -> dict[int, str]:
        """Index of the detection -> id: the assignment with the least total distance from the predicted centers."""
        ids = list(self._states)
        if not ids or not detections:
            return {}
        crops = [crop_from_box(detection.roi) for detection in detections]
        places = [(crop_center(crop), size_in_detection_crop(crop)) for crop in crops]
        cost = np.array([[self._states[id].distance(*place, stamp_ns) for id in ids] for place in places])
        limit = self._config.max_distance
        pairs = least_cost_pairs(np.minimum(cost, 2 * limit))
        return {i: ids[j] for i, j in pairs if cost[i, j] <= limit}

    def _duplicates(
        self, tracks: Sequence[Track], fits: Sequence[FaceFit], kept: Sequence[bool], stamp_ns: int
    ) -> list[int]:
        """The tracks on a face that another track has: new ones first, then those farther from their prediction."""
        if sum(kept) < 2:
            return []

        def priority(index: int) -> tuple[bool, float]:
            state, fit = self._states[tracks[index].id], fits[index]
            if state.doubt > 0.0:
                return True, state.doubt * (1.0 - fit.confidence)
            return False, state.distance(*place_in_crop(crop_from_landmarks(fit.landmarks68)), stamp_ns)

        boxes = [bounding_box(fit.landmarks68) for fit in fits]
        unique: list[int] = []
        for index in sorted(np.flatnonzero(kept), key=priority):
            if not any(_is_same_face(boxes[index], boxes[other]) for other in unique):
                unique.append(index)
        return [index for index in np.flatnonzero(kept) if index not in unique]


def _is_same_face(a: Roi, b: Roi) -> bool:
    """Whether two boxes show one face; a box inside another is a part of that face, such as the mouth."""
    return overlap(a, b) > _DUPLICATE_OVERLAP or containment(a, b) > _MAX_CONTAINMENT


def _rank(detection: Detection) -> tuple[bool, float]:
    """Detections with a high score come first, large before small."""
    return detection.score < _HIGH_SCORE, -detection.roi.height
