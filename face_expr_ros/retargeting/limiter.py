"""Time-optimal motion of a joint to its target within limits of velocity and acceleration, without overshoot."""

from __future__ import annotations

import math
from itertools import accumulate


def advance(
    position: float, velocity: float, target: float, max_velocity: float, acceleration: float, elapsed: float
) -> tuple[float, float]:
    """Position and velocity after ``elapsed`` seconds on the time-optimal trajectory that ends at rest at the target.

    The velocity profile is a trapezoid: accelerate, cruise, decelerate (Kröger, "On-Line Trajectory Generation in
    Robotic Systems", Springer 2010, type II). It is solved in closed form and evaluated at ``elapsed``, so that the
    limits hold exactly for any and for varying periods. If a joint can stop before a position, it still can after a
    step towards any target on the near side: targets within the position limits keep the joint within them.

    Args:
        position, velocity: current, in the joint's unit and per second.
        target: final position, finite.
        max_velocity, acceleration: limits, positive; a joint that exceeds the velocity limit decelerates first.
        elapsed: seconds, 0 or more.
    """
    direction, speed, phases = _profile(position, velocity, target, max_velocity, acceleration)
    for change, duration in phases:
        step = min(elapsed, duration)
        position += direction * step * (speed + change * step / 2)
        speed += change * step
        elapsed -= step
        if elapsed <= 0:
            return position, direction * speed
    return target, 0.0


def phase_ends(
    position: float, velocity: float, target: float, max_velocity: float, acceleration: float
) -> tuple[float, ...]:
    """Seconds at which the three phases of the trajectory of :func:`advance` end; the last is at rest at the target.

    The acceleration is constant within each phase.
    """
    _, _, phases = _profile(position, velocity, target, max_velocity, acceleration)
    return tuple(accumulate(duration for _, duration in phases))


def _profile(
    position: float, velocity: float, target: float, max_velocity: float, acceleration: float
) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """Direction of the motion, initial velocity in that direction, and the phases in that direction."""
    direction = _direction(position, velocity, target, acceleration)
    distance, speed = direction * (target - position), direction * velocity
    peak = min(max_velocity, math.sqrt(max(acceleration * distance + speed * speed / 2, 0.0)))
    return direction, speed, _phases(distance, speed, peak, acceleration)


def _direction(position: float, velocity: float, target: float, acceleration: float) -> float:
    """Direction of the motion, 1.0 or -1.0: from where the joint would stop if it decelerated now, to the target."""
    shortfall = target - position - velocity * abs(velocity) / (2 * acceleration)
    return math.copysign(1.0, shortfall or -velocity)


def _phases(distance: float, speed: float, peak: float, acceleration: float) -> tuple[tuple[float, float], ...]:
    """Acceleration and duration of the three phases: to the peak velocity, cruise, decelerate."""
    to_peak = (peak - speed) / acceleration
    cruise = 0.0
    if peak > 0.0:
        covered = abs(to_peak) * (speed + peak) / 2 + peak * peak / (2 * acceleration)
        cruise = max(0.0, (distance - covered) / peak)
    return (
        (math.copysign(acceleration, to_peak), abs(to_peak)),
        (0.0, cruise),
        (-acceleration, peak / acceleration),
    )
