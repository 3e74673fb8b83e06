"""What one avatar shows at any moment: the chosen face, between two images and after it is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.avatar_axes import RESTING, arkit_values, between, mirrored, relaxed
from face_expr_ros.retargeting.avatar_config import TargetConfig
from face_expr_ros.retargeting.config import FOLLOWED, HeadControlConfig
from face_expr_ros.retargeting.follow import FaceChooser

LONGEST_STEP = 0.25  # seconds between two images that are still bridged


@dataclass(frozen=True)
class Shown:
    """What the avatar shows.

    Attributes:
        state: the face.
        tracked: somebody is seen.
    """

    state: FaceState
    tracked: bool


@dataclass(frozen=True)
class _Arrival:
    state: FaceState
    seconds: float


class AvatarStream:
    """Takes faces as they come and gives the face of any later moment; from two threads, if need be.

    Times are arguments: seconds of a clock that nobody sets.

    Args:
        target: which face, mirror, interpolation.
        lost_after: a face that is not seen for so many seconds is lost.
        relax: seconds of the way back to rest.
    """

    def __init__(self, target: TargetConfig, lost_after: float, relax: float) -> None:
        self._target = target
        self._lost_after, self._relax = lost_after, relax
        self._choose = FaceChooser(_following(target.face))
        self._lock = threading.Lock()
        self._newest: _Arrival | None = None
        self._before: _Arrival | None = None

    def put(self, faces: Sequence[FaceState], seconds: float) -> None:
        """The faces of one image.

        Raises:
            ValueError: the chosen face lacks ARKit's blendshapes, or has numbers that are not finite.
        """
        state = self._choose(faces, round(seconds * 1e9))
        if state is None:
            return
        arkit_values(state.blendshapes)  # here, where it is known who sent a bad face
        if not np.isfinite(state.landmarks).all():
            raise ValueError(f"finite landmarks were wanted for {state.id!r}, some that are not were given")
        with self._lock:
            newest = _Arrival(mirrored(state) if self._target.mirror else state, seconds)
            continued = self._newest is not None and self._newest.state.id == state.id
            self._before, self._newest = self._newest if continued else None, newest

    def at(self, seconds: float) -> Shown:
        """The face to show now; at rest while nobody was seen yet."""
        with self._lock:
            newest, before = self._newest, self._before
        if newest is None:
            return Shown(RESTING, False)
        age = seconds - newest.seconds
        state = newest.state if before is None or not self._target.interpolate else _bridge(before, newest, age)
        if age <= self._lost_after:
            return Shown(state, True)
        way = min(1.0, (age - self._lost_after) / self._relax) if self._relax else 1.0
        return Shown(relaxed(state, way * way * (3 - 2 * way)), False)


def _bridge(before: _Arrival, newest: _Arrival, age: float) -> FaceState:
    step = newest.seconds - before.seconds
    if not 0.0 < step <= LONGEST_STEP:
        return newest.state
    return between(before.state, newest.state, min(1.0, max(0.0, age / step)))


def _following(face: str) -> HeadControlConfig:
    if face in FOLLOWED:
        return HeadControlConfig(follow=face)
    return HeadControlConfig(follow="id", face_id=face)
