"""The newest item wins; what waits is dropped, what is in work is finished."""

from __future__ import annotations

import threading

from face_expr_ros.core.latest_item import LatestItemWorker


def test_items_that_wait_are_replaced_by_newer_ones() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    worked: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go_on.wait(10)
        worked.append(item)
        if item == 4:
            done.set()

    worker = LatestItemWorker(work, "test")
    assert not worker.put(1)
    assert begun.wait(10)
    assert [worker.put(item) for item in (2, 3, 4)] == [False, True, True]
    go_on.set()
    assert done.wait(10)
    worker.close()
    assert worked == [1, 4]


def test_closing_finishes_the_item_in_work_and_drops_the_one_that_waits() -> None:
    begun, go_on = threading.Event(), threading.Event()
    worked: list[int] = []

    def work(item: int) -> None:
        begun.set()
        go_on.wait(10)
        worked.append(item)

    worker = LatestItemWorker(work, "test")
    worker.put(1)
    assert begun.wait(10)
    worker.put(2)
    closing = threading.Thread(target=worker.close)
    closing.start()
    go_on.set()
    closing.join(10)
    assert not closing.is_alive()
    assert worked in ([1], [1, 2])
