"""Which face is which: ids that stay with a face from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from face_expr_ros.config import TrackerConfig
from face_expr_ros.geometry import bounding_box, crop_from_landmarks
from face_expr_ros.values import FloatArray, Landmarks, Roi, Track

_DUPLICATE_OVERLAP = 0.5  # intersection over union: two boxes that share more are one face found twice
_VELOCITY_MEMORY = 0.6  # weight of the old velocity against the newly seen one
_VELOCITY_HORIZON = 0.3  # seconds: after that a face has perhaps stopped
_LONGEST_PAUSE = 3.0  # seconds without any image, after which the same place says little about who is there
_SIZE_WEIGHT = 1.0  # a face twice as large is as far away as one that moved ln 2 face widths


@dataclass
class _Memory:
    """Where a face was last seen (center and size in pixels), how it moved (pixels per second), when, and whether the
    last frame showed it."""

    center: FloatArray
    size: float
    velocity: FloatArray
    stamp_ns: int
    in_view: bool = True

    def expected(self, stamp_ns: int) -> FloatArray:
        """(n, 2) places: where the face has moved on to and, after a gap, also where it was seen."""
        elapsed = (stamp_ns - self.stamp_ns) * 1e-9
        ahead = self.center + self.velocity * min(elapsed, _VELOCITY_HORIZON)
        return np.array([ahead] if elapsed <= _VELOCITY_HORIZON else [ahead, self.center])

    def update(self, center: FloatArray, size: float, stamp_ns: int) -> None:
        elapsed = (stamp_ns - self.stamp_ns) * 1e-9
        if elapsed > 0:
            seen = (center - self.center) / elapsed
            self.velocity = _VELOCITY_MEMORY * self.velocity + (1 - _VELOCITY_MEMORY) * seen
        self.center, self.size, self.stamp_ns, self.in_view = center, size, stamp_ns, True


class Tracker:
    """Gives every face the id of the track it continues, or a new id. Ids are never used twice."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._count = 0
        self._memories: dict[str, _Memory] = {}

    def reset(self) -> None:
        """Forget all faces. The next id is still a new one."""
        self._memories.clear()

    def __call__(self, found: list[Landmarks], stamp_ns: int) -> list[Track]:
        """The faces of a frame taken at ``stamp_ns`` nanoseconds, with their ids, in the order of the ids."""
        self._forget_lost(stamp_ns)
        faces = _without_duplicates([(landmarks, bounding_box(landmarks.points)) for landmarks in found])
        ids = self._match([roi for _, roi in faces], stamp_ns)
        for memory in self._memories.values():
            memory.in_view = False  # until it is updated below
        tracks = [self._update(ids.get(i), *face, stamp_ns) for i, face in enumerate(faces)]
        return sorted(tracks, key=lambda track: int(track.id[1:]))

    def _forget_lost(self, stamp_ns: int) -> None:
        """A face of the last frame is not lost when the next frame is late: a busy machine leaves out images."""
        pause = max(_LONGEST_PAUSE, self._config.keep_lost)
        kept = {True: stamp_ns - pause * 1e9, False: stamp_ns - self._config.keep_lost * 1e9}
        self._memories = {
            id: memory for id, memory in self._memories.items() if memory.stamp_ns >= kept[memory.in_view]
        }

    def _match(self, rois: list[Roi], stamp_ns: int) -> dict[int, str]:
        """Index of the face -> id: the assignment of least total distance from where the tracks are expected."""
        ids = list(self._memories)
        if not ids or not rois:
            return {}
        cost = np.array([[self._distance(self._memories[id], roi, stamp_ns) for id in ids] for roi in rois])
        limit = self._config.max_distance
        pairs = zip(*linear_sum_assignment(np.minimum(cost, 2 * limit)), strict=True)
        return {int(i): ids[j] for i, j in pairs if cost[i, j] <= limit}

    def _distance(self, memory: _Memory, roi: Roi, stamp_ns: int) -> float:
        """From the nearest place where the track is expected, in face widths, with the change of size on top."""
        center, size = _place(roi)
        moved = float(np.linalg.norm(center - memory.expected(stamp_ns), axis=1).min()) / max(size, memory.size)
        return moved + _SIZE_WEIGHT * abs(float(np.log(size / memory.size)))

    def _update(self, id: str | None, landmarks: Landmarks, roi: Roi, stamp_ns: int) -> Track:
        center, size = _place(roi)
        if id is None:
            self._count += 1
            id = f"f{self._count}"
            self._memories[id] = _Memory(center, size, np.zeros(2), stamp_ns)
        else:
            self._memories[id].update(center, size, stamp_ns)
        return Track(id, crop_from_landmarks(landmarks.points), landmarks, fresh=False)


def _place(roi: Roi) -> tuple[FloatArray, float]:
    """Center and size of a face; turning the head changes the box's height least."""
    return np.array([roi.x + roi.width / 2, roi.y + roi.height / 2]), max(roi.height, 1.0)


def _without_duplicates(faces: list[tuple[Landmarks, Roi]]) -> list[tuple[Landmarks, Roi]]:
    kept: list[tuple[Landmarks, Roi]] = []
    for landmarks, roi in faces:
        if all(overlap(roi, other) <= _DUPLICATE_OVERLAP for _, other in kept):
            kept.append((landmarks, roi))
    return kept


def overlap(a: Roi, b: Roi) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    union = a.width * a.height + b.width * b.height - shared
    return shared / union if union > 0 else 0.0
