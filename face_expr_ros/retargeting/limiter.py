"""A joint's way to its target within its velocity and acceleration: time-optimal, without overshoot."""

from __future__ import annotations

import math


def advance(
    position: float, velocity: float, target: float, max_velocity: float, acceleration: float, elapsed: float
) -> tuple[float, float]:
    """Position and velocity ``elapsed`` seconds later, on the fastest way from here to standing still at the target.

    The way is the trapezoid of velocity over time: accelerate, cruise, brake (Kröger, "On-Line Trajectory Generation in
    Robotic Systems", Springer 2010, type II). It is solved in closed form and read at ``elapsed``, so that the limits
    hold exactly, at any and at varying periods. A joint that could stop before a place still can after a step towards
    any target on this side of it: targets within the limits of position keep the joint within them.

    Args:
        position, velocity: now, in the joint's unit and per second.
        target: where to stand still, finite.
        max_velocity, acceleration: limits, above 0; a joint that is faster than the limit slows down first.
        elapsed: seconds, 0 or more.
    """
    direction = _direction(position, velocity, target, acceleration)
    way, speed = direction * (target - position), direction * velocity  # both in the direction of the way
    peak = min(max_velocity, math.sqrt(max(acceleration * way + speed * speed / 2, 0.0)))
    for change, duration in _phases(way, speed, peak, acceleration):
        step = min(elapsed, duration)
        position += direction * step * (speed + change * step / 2)
        speed += change * step
        elapsed -= step
        if elapsed <= 0:
            return position, direction * speed
    return target, 0.0


def _direction(position: float, velocity: float, target: float, acceleration: float) -> float:
    """1.0 or -1.0: on which side of the target the joint would stand if it braked now, seen from there."""
    shortfall = target - position - velocity * abs(velocity) / (2 * acceleration)
    return math.copysign(1.0, shortfall or -velocity)


def _phases(way: float, speed: float, peak: float, acceleration: float) -> tuple[tuple[float, float], ...]:
    """Acceleration and duration of speeding up (or slowing down) to the peak, cruising and braking."""
    to_peak = (peak - speed) / acceleration
    cruise = 0.0
    if peak > 0.0:
        covered = abs(to_peak) * (speed + peak) / 2 + peak * peak / (2 * acceleration)
        cruise = max(0.0, (way - covered) / peak)
    return (
        (math.copysign(acceleration, to_peak), abs(to_peak)),
        (0.0, cruise),
        (-acceleration, peak / acceleration),
    )
