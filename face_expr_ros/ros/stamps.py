"""Stamps of messages as numbers."""

from __future__ import annotations

from builtin_interfaces.msg import Time


def stamp_ns(stamp: Time) -> int:
    """A stamp in nanoseconds, which may be negative: rclpy.time.Time refuses such stamps, but drivers send them."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
