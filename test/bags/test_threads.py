"""Reading ahead and writing behind change neither order nor errors, and leave no thread behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from face_expr_ros.bags.threads import BackgroundWriter, ahead
from face_expr_ros.core.signals import deferred_sigint


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"ahead", "behind"}


def test_items_come_in_their_order() -> None:
    assert list(ahead(range(100), 3)) == list(range(100))
    assert names() == set()


def test_an_error_of_the_source_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise OSError("the disk is gone")

    taken: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        taken.extend(ahead(source(), 2))
    assert taken == [0, 1, 2]
    assert names() == set()


def test_who_stops_early_leaves_no_thread() -> None:
    items = ahead(iter(range(10**9)), 2)
    assert next(items) == 0
    items.close()
    assert names() == set()


def test_calls_happen_in_order_and_the_end_is_always_reached() -> None:
    done: list[int] = []
    behind = BackgroundWriter(2, at_end=lambda: done.append(-1))
    for number in range(10):
        behind.put(lambda number=number: done.append(number))  # type: ignore[misc]
    behind.close()
    behind.abort()
    assert done == [*range(10), -1]
    assert names() == set()


def test_an_error_of_a_call_is_raised_and_nothing_is_called_after_it() -> None:
    done: list[int] = []
    behind = BackgroundWriter(2, at_end=lambda: done.append(-1))

    def fail() -> None:
        raise OSError("the disk is full")

    def go_on() -> None:
        for _ in range(100):
            behind.put(lambda: done.append(1))

    behind.put(fail)
    with pytest.raises(OSError, match="the disk is full"):
        go_on()
    with pytest.raises(OSError, match="the disk is full"):
        behind.close()
    assert done == [-1]


def at_work(interrupt_after: float) -> None:
    """Both queues are in use all the time, until Ctrl-C comes."""
    timer = threading.Timer(interrupt_after, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    with deferred_sigint() as check:
        items = ahead(count(), 4)
        behind = BackgroundWriter(4, at_end=lambda: None)
        timer.start()
        try:
            for _ in items:
                for _ in range(3):
                    behind.put(lambda: None)
                check()
        finally:
            items.close()
            behind.abort()
            timer.join()


def test_control_c_at_any_time_ends_both_threads() -> None:
    """Where it was not held, a lock of a queue stayed taken in one of some hundred runs, which then never ended."""
    for number in range(200):
        with pytest.raises(KeyboardInterrupt):
            at_work(0.002 + 1e-5 * number)
    assert names() == set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
