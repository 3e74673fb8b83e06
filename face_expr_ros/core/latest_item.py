"""Hand-over of the latest item: an item that is not taken in time is replaced by the next one, never queued."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestItemWorker(Generic[Item]):
    """Calls ``work(item)`` in its own thread; a waiting item is replaced by a newer one.

    Args:
        work: must not raise.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Item], None], name: str) -> None:
        self._work = work
        self._waiting: Item | None = None
        self._open = True
        self._is_busy = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Add an item; returns True if it replaced a waiting one."""
        with self._changed:
            dropped = self._waiting is not None
            self._waiting = item
            self._changed.notify_all()
        return dropped

    def clear(self) -> None:
        """Drop a waiting item and wait until the current one is finished."""
        with self._changed:
            self._waiting = None
            self._changed.wait_for(lambda: not self._is_busy)

    def close(self) -> None:
        """Finish the current item, drop a waiting one and end the thread."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._work(item)

    def _take(self) -> Item | None:
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting is not None or not self._open)
            item, self._waiting = self._waiting, None
            self._is_busy = self._open
            return item if self._open else None


class LatestItem(Generic[Item]):
    """Asyncio counterpart of LatestItemWorker: one slot, used within one event loop.

    Attributes:
        dropped: number of items that were replaced before they were taken.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: Item | None = None
        self._ready = asyncio.Event()

    def put(self, item: Item) -> bool:
        """Hand over an item; True if a waiting item was dropped for it."""
        dropped = self._waiting is not None
        self.dropped += dropped
        self._waiting = item
        self._ready.set()
        return dropped

    def wake(self) -> None:
        """Let :meth:`take` return, with None if no item waits."""
        self._ready.set()

    async def take(self) -> Item | None:
        """Wait for an item or :meth:`wake`."""
        await self._ready.wait()
        self._ready.clear()
        item, self._waiting = self._waiting, None
        return item
