"""The clock of the frames on courses of stamps as drivers, bags and simulations send them."""

from __future__ import annotations

import itertools
import json

import pytest

from face_expr_ros.perception.frame_clock import FrameClock, StampKind

MS = 1_000_000
START = 1_700_000_000_000 * MS


def courses() -> dict[str, tuple[list[int], list[int], int]]:
    """Stamps in ms after the start (None is a stamp of zero), expected times in ms after the first, and restarts."""
    steady = [33 * n for n in range(12)]
    swapped = [0, 66, 33, 132, 99, 198, 165]
    return {
        "steady": (steady, steady, 0),
        "slow": ([0, 500, 1000, 1500], [0, 500, 1000, 1500], 0),
        "one image 2 ms old": ([0, 33, 66, 64, 99, 132], [0, 33, 66, 74, 99, 132], 0),
        "one image 33 ms old": ([0, 33, 66, 33, 99, 132], [0, 33, 66, 74, 99, 132], 0),
        "swapped pairs": (swapped, [0, 66, 82, 132, 148, 198, 214], 0),
        "each image twice": ([0, 0, 33, 33, 66, 66, 99], [0, 8, 33, 41, 66, 74, 99], 0),
        "three old images": ([0, 33, 66, 10, 20, 30, 99], [0, 33, 66, 74, 82, 90, 99], 0),
        "half a second back": ([0, 400, 800, 300, 333, 366, 399, 432], [0, 400, 800, 900, 1000, 1100, 399, 432], 1),
        "a second back": ([0, 500, 1000, 0, 500, 1000, 0], [0, 500, 1000, 0, 500, 1000, 0], 2),
        "a jump of the clock": ([0, 33, 9000, 9033], [0, 33, 66, 9033], 0),
        "two jumps of the clock": ([0, 33, 9000, 9033, 19000, 19033], [0, 33, 66, 9033, 9066, 19033], 0),
        "one image far ahead": ([0, 33, 9000, 99, 132], [0, 33, 66, 99, 132], 0),
        "often far ahead": ([0, 33, 9000, 99, 9000, 165], [0, 33, 66, 99, 132, 165], 0),
    }  # fmt: skip


@pytest.mark.parametrize("course", courses())
def test_times_follow_the_stamps(course: str) -> None:
    stamps, expected, restarts = courses()[course]
    clock = FrameClock()
    times, kinds = [], []
    for number, stamp in enumerate(stamps):
        # The driver sends an image twice within a millisecond.
        again = number > 0 and stamp == stamps[number - 1]
        times.append(clock(START + stamp * MS, number * 33 * MS - again * 32 * MS))
        kinds.append(clock.kind)
    assert [round((time - START) / MS) for time in times] == pytest.approx(expected, abs=1)
    assert kinds.count(StampKind.RESTART) == restarts
    pairs = zip(itertools.pairwise(times), kinds[1:], strict=True)
    assert all(before < after or kind is StampKind.RESTART for (before, after), kind in pairs)


def test_standing_stamps_follow_the_arrival_of_the_images() -> None:
    clock = FrameClock()
    times = [clock(START, 50 * n * MS) for n in range(100)]
    assert [(time - START) // MS for time in times] == [50 * n for n in range(100)]
    assert clock.kind is StampKind.STANDING


def test_standing_stamps_without_arrival_advance_by_a_usual_interval() -> None:
    clock = FrameClock()
    times = [clock(0) for _ in range(10)]
    assert times[-1] == pytest.approx(300 * MS, rel=0.01)


def test_stamps_that_stood_still_continue_without_a_jump() -> None:
    """A paused simulation whose camera goes on; then its clock continues."""
    clock = FrameClock()
    stamps = [33 * n for n in range(1, 10)] + [300] * 300 + [300 + 33 * n for n in range(1, 10)]
    times = [clock(stamp * MS, 33 * n * MS) for n, stamp in enumerate(stamps)]
    steps = [(after - before) / MS for before, after in itertools.pairwise(times)]
    assert min(steps) > 2
    assert max(steps) < 70
    assert times[-1] - times[0] == pytest.approx(33 * MS * (len(stamps) - 1), rel=0.03)


@pytest.mark.parametrize("every", [2, 5, 10])
def test_zeros_now_and_then_do_not_restart_the_stream(every: int) -> None:
    clock = FrameClock()
    stamps = [0 if n % every == every - 1 else START + 33 * n * MS for n in range(60)]
    times, kinds = [], []
    for n, stamp in enumerate(stamps):
        times.append(clock(stamp, 33 * n * MS))
        kinds.append(clock.kind)
    assert StampKind.RESTART not in kinds
    assert kinds.count(StampKind.MISSING) == 60 // every
    assert times == [START + 33 * n * MS for n in range(60)]


def test_valid_stamps_after_zeros_continue_the_stream() -> None:
    """A driver whose first images have no stamp."""
    clock = FrameClock()
    times = [clock(stamp, 33 * n * MS) for n, stamp in enumerate([0, 0, 0, START, START + 33 * MS, START + 66 * MS])]
    assert times == [33 * n * MS for n in range(6)]


def test_a_gap_in_the_images_is_one_in_the_times() -> None:
    clock = FrameClock()
    times = [clock(START + stamp * MS, stamp * MS) for stamp in (0, 33, 9000, 9033)]
    assert [(time - START) // MS for time in times] == [0, 33, 9000, 9033]


def test_a_stop_of_the_process_is_a_gap_in_the_times() -> None:
    """The image at 66 ms has waited for five seconds, the next one is current again."""
    clock = FrameClock()
    pairs = ((0, 3), (33, 36), (66, 5066), (5066, 5069), (5099, 5102))
    times = [clock(START + stamp * MS, arrival * MS) for stamp, arrival in pairs]
    assert [(time - START) // MS for time in times] == [0, 33, 66, 5066, 5099]


def test_negative_stamps_are_as_zeros() -> None:
    clock = FrameClock()
    stamps = [START, START + 33 * MS, -5_000 * MS, START + 99 * MS]
    assert [clock(stamp, 33 * n * MS) - START for n, stamp in enumerate(stamps)] == [33 * n * MS for n in range(4)]


def test_a_simulation_that_starts_at_zero_keeps_its_stamps() -> None:
    clock = FrameClock()
    assert [clock(100 * n * MS, 7 * n * MS) for n in range(5)] == [100 * n * MS for n in range(5)]


def test_a_simulation_that_is_reset_restarts_at_its_stamps() -> None:
    clock = FrameClock()
    clock(97_000 * MS)
    assert clock(0) > 97_000 * MS
    assert clock(33 * MS) == 33 * MS
    assert (clock.kind, clock.jump_ns) == (StampKind.RESTART, 96_967 * MS)


def test_a_restored_clock_continues_as_the_saved_one() -> None:
    first, second = FrameClock(), FrameClock()
    for stamp in (START, START + 33 * MS, START + 33 * MS, START):
        first(stamp, stamp - START)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for stamp in (START + 10 * MS, START + 66 * MS, START + 66 * MS, 0):
        assert first(stamp, 70 * MS) == second(stamp, 70 * MS)
    assert first.state_dict() == second.state_dict()


def test_a_reset_clock_takes_any_stamp_as_the_first() -> None:
    clock = FrameClock()
    clock(START)
    clock.reset()
    assert clock(10 * MS) == 10 * MS
    assert clock.kind is StampKind.LATER
