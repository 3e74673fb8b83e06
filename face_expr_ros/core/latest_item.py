"""One thread that works on the newest item: what it is too slow for is dropped, never queued."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestItemWorker(Generic[Item]):
    """Calls ``work(item)`` in a thread of its own; an item that waits is replaced by a newer one.

    Args:
        work: does not raise.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Item], None], name: str) -> None:
        self._work = work
        self._waiting: Item | None = None
        self._open = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Hand over an item; True when an older one was dropped for it."""
        with self._changed:
            dropped = self._waiting is not None
            self._waiting = item
            self._changed.notify()
        return dropped

    def close(self) -> None:
        """Finish the item in work, drop the one that waits and end the thread."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._work(item)

    def _take(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or not self._open)
            item, self._waiting = self._waiting, None
            return item if self._open else None
