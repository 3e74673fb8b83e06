"""Background threads: while the faces of one image are measured, the next image is decoded and the previous one is
finished and written.

Decoders, networks and system calls release the GIL. Results and their order are the same as in one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Queue
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def read_ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """The items, up to ``depth`` of which a thread reads in advance; an error of the source is raised after them."""
    queue: Queue[Any] = Queue(depth)
    stopped = threading.Event()
    errors: list[BaseException] = []

    def fill() -> None:
        try:
            for item in items:
                queue.put(item)
                if stopped.is_set():
                    return
        except BaseException as error:
            errors.append(error)
        finally:
            queue.put(_END)

    thread = threading.Thread(target=fill, name="read_ahead", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _END:
            yield item
        if errors:
            raise errors[0]
    finally:
        stopped.set()
        while thread.is_alive():  # it may be blocked by a full queue
            _drain(queue)
            thread.join(0.01)


def _drain(queue: Queue[Any]) -> None:
    while not queue.empty():
        queue.get_nowait()


class BackgroundWriter:
    """Runs calls one after the other in a thread; the first error is raised by the next `put` or `close`.

    Args:
        depth: maximum number of queued calls.
        at_end: always called last in the thread; must not raise.
    """

    def __init__(self, depth: int, at_end: Callable[[], None]) -> None:
        self._at_end = at_end
        self._queue: Queue[Callable[[], None] | None] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="background_writer", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether a call has raised an error; no later call is run."""
        return self._error is not None

    def put(self, call: Callable[[], None]) -> None:
        """Queue a call; waits while the queue is full."""
        self._raise()
        self._queue.put(call)

    def wait(self) -> None:
        """Wait for all calls so far, and raise the error of a failed one."""
        self._queue.join()
        self._raise()

    def close(self) -> None:
        """Wait for all calls, and raise the error of a failed one."""
        self._queue.put(None)
        self._thread.join()
        self._raise()

    def abort(self) -> None:
        """Stop the thread without raising errors; safe after `close`."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            if self._error is None:
                try:
                    call()
                except BaseException as error:
                    self._error = error
            self._queue.task_done()
        self._at_end()
