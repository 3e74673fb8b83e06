"""Only the latest waiting item is processed; closing finishes the current one."""

from __future__ import annotations

import threading

import pytest

from face_expr_ros.core.latest_item import LatestItemWorker


def test_a_waiting_item_is_replaced_by_a_newer_one() -> None:
    started, go_on, done = threading.Event(), threading.Event(), threading.Event()
    processed: list[int] = []

    def work(item: int) -> None:
        started.set()
        go_on.wait(10)
        processed.append(item)
        if item == 4:
            done.set()

    worker = LatestItemWorker(work, "test")
    assert not worker.put(1)
    assert started.wait(10)
    assert [worker.put(item) for item in (2, 3, 4)] == [False, True, True]
    go_on.set()
    assert done.wait(10)
    worker.close()
    assert processed == [1, 4]


def test_closing_finishes_the_current_item_and_drops_the_waiting_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current item is released when ``close`` joins the thread, and has thus already been called."""
    started, go_on = threading.Event(), threading.Event()
    processed: list[int] = []
    join = threading.Thread.join

    def work(item: int) -> None:
        started.set()
        go_on.wait(10)
        processed.append(item)

    def release_and_join(thread: threading.Thread, timeout: float | None = None) -> None:
        go_on.set()
        join(thread, timeout)

    worker = LatestItemWorker(work, "test")
    worker.put(1)
    assert started.wait(10)
    worker.put(2)
    monkeypatch.setattr(threading.Thread, "join", release_and_join)
    worker.close()
    assert processed == [1]


def test_clearing_waits_for_the_current_item_and_drops_the_waiting_one() -> None:
    started, go_on, cleared = threading.Event(), threading.Event(), threading.Event()
    processed: list[int] = []

    def work(item: int) -> None:
        started.set()
        go_on.wait(10)
        processed.append(item)

    def clear() -> None:
        worker.clear()
        cleared.set()

    worker = LatestItemWorker(work, "test")
    worker.put(1)
    assert started.wait(10)
    worker.put(2)
    clearing = threading.Thread(target=clear)
    clearing.start()
    assert not cleared.wait(0.05), "the current item is not finished"
    go_on.set()
    assert cleared.wait(10)
    assert processed == [1]
    started.clear()
    worker.put(3)
    assert started.wait(10), "later items are processed"
    worker.clear()
    worker.close()
    clearing.join()
    assert processed == [1, 3]
