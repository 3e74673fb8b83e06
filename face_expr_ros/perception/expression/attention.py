"""Whether a person looks at the camera: the gaze of head and eyes together, against a cone around the camera."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from face_expr_ros.core.arkit import columns
from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.perception.expression.blinks import EYES, both_closed
from face_expr_ros.perception.gaze import GazeFace, combined_direction

# While the lids are closed further than this, the direction of the eyes cannot be seen: the last value is kept.
_HIDDEN = 0.4
_MAX_HOLD = 0.4  # seconds; most blinks are shorter
_ASLEEP = (0.5, 0.9)  # closure from which eyes that stay closed begin to count less, and at which they do not look


class Attention:
    """The attention of one face, from the direction of its gaze.

    Args:
        config: half-angle and softness of the cone.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._half_angle, self._softness = config.looking_half_angle, config.looking_softness
        self._value = 0.0
        self._seen: float | None = None  # time of the last value with open eyes

    def __call__(self, state: GazeFace, t: float) -> float:
        """0..1 at the time ``t`` in seconds: 1 for a gaze into the camera, 0.5 at the edge of the cone.

        A blink does not change the value. It is 0 without a gaze, as for a face without ARKit's names and landmarks.
        """
        closure = both_closed(state.blendshapes) if columns(state.blendshapes.names, EYES) is not None else 0.0
        if closure > _HIDDEN and self._seen is not None and 0.0 <= t - self._seen <= _MAX_HOLD:
            return self._value
        if closure <= _HIDDEN:
            self._seen = t
        begin, end = _ASLEEP
        self._value = self._looking(state) * (1.0 - _smoothstep((closure - begin) / (end - begin)))
        return self._value

    def _looking(self, state: GazeFace) -> float:
        try:
            angle = angle_to_camera(combined_direction(state), state.pose.position.tolist())
        except ValueError:
            return 0.0
        return cone(angle, self._half_angle, self._softness)

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {"value": self._value, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._value, self._seen = state["value"], state["seen"]


def angle_to_camera(direction: Sequence[float], position: Sequence[float]) -> float:
    """Degrees between a gaze direction (3,) and the ray from the face at ``position`` (3,) to the camera."""
    (a, b, c), (x, y, z) = direction, position
    norm = math.sqrt(x * x + y * y + z * z)
    cosine = -(a * x + b * y + c * z) / norm if norm > 0.0 else 1.0
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def cone(angle: float, half_angle: float, softness: float) -> float:
    """1 inside a cone, 0 outside, 0.5 at its edge; between half_angle - softness and half_angle + softness it falls.

    All angles in degrees. An angle that is not finite is outside.
    """
    if not math.isfinite(angle):
        return 0.0
    if softness <= 0.0:
        return float(angle <= half_angle)
    return _smoothstep((half_angle + softness - angle) / (2.0 * softness))


def _smoothstep(x: float) -> float:
    x = min(1.0, max(0.0, x))
    return x * x * (3.0 - 2.0 * x)
