"""Irregular stamps are reported once per kind; restarts of the stream each time."""

from __future__ import annotations

from face_expr_ros.perception.frame_clock import FrameClock
from face_expr_ros.ros.stamp_warnings import StampWarnings

MS = 1_000_000


def warnings(stamps: list[int], interval: int | None = None) -> tuple[list[str], list[str]]:
    """The texts for stamps of images that arrive at an interval, in ms: those reported once, and those of restarts."""
    once: list[str] = []
    restarts: list[str] = []
    clock, check = FrameClock(), StampWarnings(once.append, restarts.append)
    for number, stamp in enumerate(stamps):
        clock(stamp * MS, None if interval is None else number * interval * MS)
        check(clock)
    return once, restarts


def test_regular_stamps_and_single_repetitions_are_not_reported() -> None:
    assert warnings([1, 2, 2, 3, 3, 4, 5000]) == ([], [])


def test_each_kind_of_irregular_stamp_is_reported_once() -> None:
    late = [100, 133, 131, 166, 150, 200]
    once, restarts = warnings([*late, 190, 233, *([300] * 20), 0, 333, 0, *([400] * 20)])
    assert [text.split(":")[0] for text in once] == [
        "image stamps are out of order",
        "image stamps do not change",
        "some image stamps are zero or negative",
    ]
    assert "one is 0.002 s before the latest" in once[0]
    assert not restarts


def test_stamps_that_are_far_ahead_are_reported_once() -> None:
    once, restarts = warnings([1, 34, 3_600_067, 100, 133, 3_600_166, 199], interval=33)
    assert len(once) == 1
    assert once[0].startswith("an image stamp is 3600.033 s after the one before")
    assert not restarts


def test_each_restart_is_reported_with_its_jump() -> None:
    once, restarts = warnings([97_200, 3, 97_200, 3, 36])
    assert not once
    assert restarts == ["image stamps jumped back by 97.197 s: all tracks are reset"] * 2
