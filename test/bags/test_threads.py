"""Background threads keep the order of items and errors, and end with their owner."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from face_expr_ros.bags.threads import BackgroundWriter, read_ahead
from face_expr_ros.core.signals import deferred_sigint


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"read_ahead", "background_writer"}


def test_items_keep_their_order() -> None:
    assert list(read_ahead(range(100), 3)) == list(range(100))
    assert names() == set()


def test_error_of_the_source_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise OSError("the disk is gone")

    taken: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        taken.extend(read_ahead(source(), 2))
    assert taken == [0, 1, 2]
    assert names() == set()


def test_closing_early_ends_the_thread() -> None:
    items = read_ahead(iter(range(10**9)), 2)
    assert next(items) == 0
    items.close()
    assert names() == set()


def test_calls_are_run_in_order_and_the_end_is_always_called() -> None:
    done: list[int] = []
    writer = BackgroundWriter(2, at_end=lambda: done.append(-1))
    for number in range(10):
        writer.put(lambda number=number: done.append(number))  # type: ignore[misc]
    writer.close()
    writer.abort()
    assert done == [*range(10), -1]
    assert names() == set()


def test_error_of_a_call_is_raised_and_no_other_call_is_run() -> None:
    done: list[int] = []
    writer = BackgroundWriter(2, at_end=lambda: done.append(-1))

    def fail() -> None:
        raise OSError("the disk is full")

    def put_many() -> None:
        for _ in range(100):
            writer.put(lambda: done.append(1))

    writer.put(fail)
    with pytest.raises(OSError, match="the disk is full"):
        put_many()
    with pytest.raises(OSError, match="the disk is full"):
        writer.close()
    assert done == [-1]


def run_until_interrupted(interrupt_after: float) -> None:
    """Keep both queues busy until Ctrl-C."""
    timer = threading.Timer(interrupt_after, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    with deferred_sigint() as check:
        items = read_ahead(count(), 4)
        writer = BackgroundWriter(4, at_end=lambda: None)
        timer.start()
        try:
            for _ in items:
                for _ in range(3):
                    writer.put(lambda: None)
                check()
        finally:
            items.close()
            writer.abort()
            timer.join()


def test_ctrl_c_at_any_time_ends_both_threads() -> None:
    """Without deferring it, the lock of a queue stayed acquired in one of a few hundred runs: a deadlock."""
    for number in range(200):
        with pytest.raises(KeyboardInterrupt):
            run_until_interrupted(0.002 + 1e-5 * number)
    assert names() == set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
