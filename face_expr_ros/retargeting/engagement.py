"""The engagement of a person, REP-155's `engagement_status`, from whether the person looks at the camera."""

from __future__ import annotations

from enum import IntEnum

LOOKING = 0.5  # minimum of looking_at_camera
_MAX_GAP = 1.0  # seconds without a value after which the person counts as new


class EngagementLevel(IntEnum):
    """The constants of hri_msgs/EngagementLevel."""

    UNKNOWN = 0
    DISENGAGED = 1
    ENGAGING = 2
    ENGAGED = 3
    DISENGAGING = 4


class Engagement:
    """The engagement of one person, who starts disengaged.

    Args:
        engage_after: seconds for which an engaging person looks at the camera before being engaged.
        disengage_after: seconds for which a disengaging person looks away before being disengaged.
    """

    def __init__(self, engage_after: float, disengage_after: float) -> None:
        self._engage_after, self._disengage_after = engage_after, disengage_after
        self._level = EngagementLevel.DISENGAGED
        self._since = 0.0  # time at which the current level began, seconds
        self._last: float | None = None

    def __call__(self, looking_at_camera: float, t: float) -> EngagementLevel:
        """The level at the time ``t`` in seconds; time that goes back, or a gap of more than a second, starts anew."""
        if self._last is None or not 0.0 <= t - self._last <= _MAX_GAP:
            self._change(EngagementLevel.DISENGAGED, t)
        self._last = t
        next_level = self._next(looking_at_camera >= LOOKING, t - self._since)
        if next_level != self._level:
            self._change(next_level, t)
        return self._level

    def _next(self, is_looking: bool, elapsed: float) -> EngagementLevel:
        """The next level after ``elapsed`` seconds in this one."""
        if self._level in (EngagementLevel.ENGAGED, EngagementLevel.DISENGAGING):
            if is_looking:
                return EngagementLevel.ENGAGED
            is_gone = self._level == EngagementLevel.DISENGAGING and elapsed >= self._disengage_after
            return EngagementLevel.DISENGAGED if is_gone else EngagementLevel.DISENGAGING
        if not is_looking:
            return EngagementLevel.DISENGAGED
        is_engaged = self._level == EngagementLevel.ENGAGING and elapsed >= self._engage_after
        return EngagementLevel.ENGAGED if is_engaged else EngagementLevel.ENGAGING

    def _change(self, level: EngagementLevel, t: float) -> None:
        self._level, self._since = level, t
