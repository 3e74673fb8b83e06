"""Image stamps as camera drivers really send them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

_MILLISECOND, _SECOND = 1_000_000, 1_000_000_000
_RARELY = 0.1  # probability of an irregular stamp

Stamps = Callable[[int, int], int]  # (system time, interval) of an image in nanoseconds -> its stamp


def _regular(rng: random.Random) -> Stamps:
    return lambda now, interval: now


def _late(rng: random.Random) -> Stamps:
    """Now and then 2 to 33 ms older than the image before."""
    last = 0

    def stamp(now: int, interval: int) -> int:
        nonlocal last
        last = last - rng.randint(2, 33) * _MILLISECOND if last and rng.random() < _RARELY else now
        return last

    return stamp


def _swapped(rng: random.Random) -> Stamps:
    """Each pair of images in the wrong order."""
    count = 0

    def stamp(now: int, interval: int) -> int:
        nonlocal count
        count += 1
        return now + interval if count % 2 else now - interval

    return stamp


def _zeros(rng: random.Random) -> Stamps:
    return lambda now, interval: 0 if rng.random() < _RARELY else now


def _missing(rng: random.Random) -> Stamps:
    return lambda now, interval: 0


def _standing(rng: random.Random) -> Stamps:
    first: list[int] = []

    def stamp(now: int, interval: int) -> int:
        first.append(now) if not first else None
        return first[0]

    return stamp


def _back(rng: random.Random) -> Stamps:
    """A bag that was started again."""
    offset = rng.randint(2, 60) * _SECOND
    return lambda now, interval: now - offset


def _ahead(rng: random.Random) -> Stamps:
    """A clock that was set forward."""
    return lambda now, interval: now + 3600 * _SECOND


def _uptime(rng: random.Random) -> Stamps:
    """The time since the start of the driver."""
    first: list[int] = []

    def stamp(now: int, interval: int) -> int:
        first.append(now) if not first else None
        return now - first[0] + interval

    return stamp


STAMPS: Mapping[str, Callable[[random.Random], Stamps]] = {
    "regular": _regular,
    "late": _late,
    "swapped": _swapped,
    "zeros": _zeros,
    "missing": _missing,
    "standing": _standing,
    "back": _back,
    "ahead": _ahead,
    "uptime": _uptime,
}
