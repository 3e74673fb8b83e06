"""State of one avatar over time: the selected face, interpolated between images, and neutral after it is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_axes import NEUTRAL_FACE, arkit_values, interpolate, mirrored, relaxed
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.config import FOLLOW_MODES, HeadControlConfig
from face_expr_ros.retargeting.follow import FaceSelector

MAX_INTERVAL = 0.25  # seconds between two images for interpolation


@dataclass(frozen=True)
class AvatarState:
    """State of the avatar at one time.

    Attributes:
        state: the face.
        tracked: a face is tracked.
    """

    state: FaceState
    tracked: bool


@dataclass(frozen=True)
class _Sample:
    state: FaceState
    seconds: float


class AvatarStream:
    """Stores the latest faces and evaluates the avatar at any later time. Thread-safe.

    Times are arguments, in seconds of a monotonic clock.

    Args:
        target: face selection, mirroring, interpolation.
        lost_after: time without the face after which it is lost, seconds.
        relax: time to return to neutral, seconds.
    """

    def __init__(self, target: TargetConfig, lost_after: float, relax: float) -> None:
        self._target = target
        self._lost_after, self._relax = lost_after, relax
        self._select = FaceSelector(_selection(target.face))
        self._lock = threading.Lock()
        self._latest: _Sample | None = None
        self._previous: _Sample | None = None

    def put(self, faces: Sequence[FaceState], seconds: float) -> None:
        """Update with the faces of one image.

        Raises:
            ValueError: the selected face has no ARKit blendshapes, or values that are not finite.
        """
        state = self._select(faces, round(seconds * 1e9))
        if state is None:
            return
        arkit_values(state.blendshapes)  # raises here, in the caller's thread
        if not np.isfinite(state.landmarks).all():
            raise ValueError(f"expected finite landmarks for the face {state.id!r}, got NaN or infinity")
        with self._lock:
            latest = _Sample(mirrored(state) if self._target.mirror else state, seconds)
            same_face = self._latest is not None and self._latest.state.id == state.id
            self._previous, self._latest = self._latest if same_face else None, latest

    def at(self, seconds: float) -> AvatarState:
        """The avatar at a time; neutral before the first face."""
        with self._lock:
            latest, previous = self._latest, self._previous
        if latest is None:
            return AvatarState(NEUTRAL_FACE, False)
        age = seconds - latest.seconds
        state = latest.state
        if previous is not None and self._target.interpolate:
            state = _interpolated(previous, latest, age)
        if age <= self._lost_after:
            return AvatarState(state, True)
        fraction = min(1.0, (age - self._lost_after) / self._relax) if self._relax else 1.0
        return AvatarState(relaxed(state, fraction * fraction * (3 - 2 * fraction)), False)


def _interpolated(previous: _Sample, latest: _Sample, age: float) -> FaceState:
    interval = latest.seconds - previous.seconds
    if not 0.0 < interval <= MAX_INTERVAL:
        return latest.state
    return interpolate(previous.state, latest.state, min(1.0, max(0.0, age / interval)))


def _selection(face: str) -> HeadControlConfig:
    if face in FOLLOW_MODES:
        return HeadControlConfig(follow=face)
    return HeadControlConfig(follow="id", face_id=face)
